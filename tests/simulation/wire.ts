/**
 * A client's connection to the simulated server, and the faults that may strike each of its statements. Before each,
 * everybody else may go on.
 */
import { AppendRefused, DatabaseFailure } from "../../src/outbox/outbox-log.ts";
import type { Row } from "./rows.ts";
import type { Server, Session } from "./server.ts";

export const FAULTS = [
  /** The connection is lost before the server has read the statement. */
  "request lost",
  /** The server runs the statement, but its answer is lost. */
  "answer lost",
  /** The client gives up; the server runs the statement afterwards, when the client may be back long since. */
  "runs later",
  /** The server refuses the statement. COMMIT it answers with ROLLBACK; a lock that is held is not granted in time. */
  "refused",
  /** The client is paused before it sends the statement. */
  "paused",
] as const;
export type Fault = (typeof FAULTS)[number];

/** What a connection needs of the world around it. */
export type Wire = {
  readonly server: Server;
  /** Waits until the scheduler lets whoever asks go on. */
  readonly step: (label: string) => Promise<void>;
  /** The fault that strikes the next statement. */
  readonly nextFault: () => Fault | null;
  /** Rows in a page at most. */
  readonly pageRows: number;
  /** Whether the sequence has a cache, so that ids set aside are thrown away before an append. */
  readonly cached: boolean;
  /** Told of rows of ours when they become visible. */
  readonly committed: (rows: readonly Row[]) => void;
};

const PAUSED_STEPS = 12;

export class SimulatedConnection {
  protected readonly wire: Wire;
  protected readonly session: Session;
  readonly #client: string;
  #hungUp = false;
  #asking = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(wire: Wire, client: string) {
    this.wire = wire;
    this.#client = client;
    this.session = wire.server.connect();
  }

  async end(): Promise<void> {
    this.wire.server.end(this.session);
  }

  destroy(): void {
    this.#hangUp();
  }

  /** The server ends the session, as `pg_terminate_backend` does. */
  terminate(): void {
    this.wire.server.end(this.session);
  }

  /** An hour passes: no statement is waited for that long. */
  timeOut(): void {
    if (this.#asking) this.#hangUp();
  }

  /** Where others may go on within a statement. */
  protected async step(label: string): Promise<void> {
    await this.wire.step(`${this.#client}: ${label}`);
  }

  /**
   * Sends one statement and waits for its answer. Any failure but a lock timeout ends the connection.
   * @param refused what the server does instead, where it can refuse without an error.
   */
  protected async statement<T>(name: string, execute: () => T | Promise<T>, refused?: () => T): Promise<T> {
    this.#asking = true;
    try {
      return await this.#ask(name, execute, refused);
    } finally {
      this.#asking = false;
    }
  }

  async #ask<T>(name: string, execute: () => T | Promise<T>, refused?: () => T): Promise<T> {
    const fault = this.wire.nextFault();
    if (fault === "paused") {
      for (let steps = 0; steps < PAUSED_STEPS; steps += 1) await this.step(`${name} (paused)`);
    }
    await this.step(fault === null || fault === "paused" ? name : `${name} (${fault})`);
    if (this.#hungUp || this.session.ended) throw this.#lost();
    switch (fault) {
      case "request lost":
        throw this.#lost();
      case "refused":
        if (refused !== undefined) return refused();
        this.wire.server.end(this.session);
        throw this.#lost();
      case "runs later":
        this.#running = this.#later(name, execute);
        throw this.#lost();
      case "answer lost":
      case "paused":
      case null: {
        const running = (async () => execute())();
        this.#running = running.catch(() => undefined);
        const answer = await running.catch((error: unknown) => {
          throw error instanceof AppendRefused && !this.#hungUp && !this.session.ended ? error : this.#lost();
        });
        if (fault === "answer lost" || this.#hungUp || this.session.ended) throw this.#lost();
        return answer;
      }
    }
  }

  async #later(name: string, execute: () => unknown): Promise<void> {
    await this.step(`${name}, whose client is gone`);
    if (this.session.ended) return;
    try {
      await execute();
    } catch {
      // Nobody is there to be told.
    }
  }

  #lost(): DatabaseFailure {
    this.#hangUp();
    return failure("CONNECTION");
  }

  /** The client goes; the server notices after the statement that it is running. */
  #hangUp(): void {
    if (this.#hungUp) return;
    this.#hungUp = true;
    void this.#noticed();
  }

  async #noticed(): Promise<void> {
    await this.#running;
    if (this.session.ended) return;
    await this.step("the server notices that the client is gone");
    this.wire.server.end(this.session);
  }
}

export function failure(code: string): DatabaseFailure {
  return new DatabaseFailure({ code, message: "the connection was lost" });
}
