/**
 * A client's connection to the simulated server, and the faults that may strike each of its statements. Before each,
 * everybody else may go on.
 */
import { AppendRefused, DatabaseFailure } from "../../src/outbox/outbox-log.ts";
import type { Row } from "./rows.ts";
import type { Server, SessionId } from "./server.ts";
import type { Statement } from "./statement.ts";

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

/** How a log sends its statements. */
export type Channel = {
  readonly session: SessionId;
  /** Runs one statement. Any failure but a refusal ends the connection. */
  readonly send: <T>(statement: Statement<T>) => Promise<T>;
  readonly end: () => void;
  readonly destroy: () => void;
};

/** What a log needs of the world around it. */
export type Wire = {
  readonly server: Server;
  readonly channel: Channel;
  /** Rows in a page at most. */
  readonly pageRows: number;
  /** Whether the sequence has a cache, so that ids set aside are thrown away before an append. */
  readonly cached: boolean;
  /** Called with rows of ours when they become visible. */
  readonly committed: (rows: readonly Row[]) => void;
};

/** Where the faults and the order of everything come from. */
export type Chance = {
  /** Waits for the scheduler. */
  readonly step: (label: string) => Promise<void>;
  /** The fault that strikes the next statement. */
  readonly nextFault: () => Fault | null;
};

const PAUSED_STEPS = 12;

export class SimulatedChannel implements Channel {
  readonly session: SessionId;
  readonly #server: Server;
  readonly #chance: Chance;
  readonly #client: string;
  #hungUp = false;
  #asking = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(server: Server, chance: Chance, client: string) {
    this.#server = server;
    this.#chance = chance;
    this.#client = client;
    this.session = server.connect();
  }

  end(): void {
    this.#server.end(this.session);
  }

  destroy(): void {
    this.#hangUp();
  }

  /** An hour passes: no statement is waited for that long. */
  timeOut(): void {
    if (this.#asking) this.#hangUp();
  }

  /** Where a pooler may put another session behind it: between two statements. Whether in a transaction, the server knows. */
  get pooledSession(): SessionId | null {
    return this.#asking || this.#hungUp ? null : this.session;
  }

  async send<T>(statement: Statement<T>): Promise<T> {
    this.#asking = true;
    try {
      return await this.#ask(statement);
    } finally {
      this.#asking = false;
    }
  }

  async #ask<T>(statement: Statement<T>): Promise<T> {
    const { name, refused } = statement;
    const fault = this.#chance.nextFault();
    if (fault === "paused") {
      for (let steps = 0; steps < PAUSED_STEPS; steps += 1) await this.#step(`${name} (paused)`);
    }
    await this.#step(fault === null || fault === "paused" ? name : `${name} (${fault})`);
    if (this.#isLost) throw this.#lost();
    switch (fault) {
      case "request lost":
        throw this.#lost();
      case "refused":
        if (refused !== null) return refused();
        this.#server.end(this.session);
        throw this.#lost();
      case "runs later":
        this.#running = this.#later(statement);
        throw this.#lost();
      case "answer lost":
      case "paused":
      case null: {
        const running = this.#run(statement);
        this.#running = running.catch(() => undefined);
        const answer = await running.catch((error: unknown) => {
          throw error instanceof AppendRefused && !this.#isLost ? error : this.#lost();
        });
        if (fault === "answer lost" || this.#isLost) throw this.#lost();
        return answer;
      }
    }
  }

  get #isLost(): boolean {
    return this.#hungUp || this.#server.ended(this.session);
  }

  /** Its first part at once; before each later part, other sessions may run. */
  async #run<T>({ parts }: Statement<T>): Promise<T> {
    let value: unknown;
    for (const [index, { label, run, underLock }] of parts.entries()) {
      if (underLock) await this.#server.granted(this.session);
      else if (index > 0) await this.#step(label);
      if (this.#server.ended(this.session)) throw failure("57P01");
      value = run(value);
    }
    return value as T;
  }

  async #later(statement: Statement<unknown>): Promise<void> {
    await this.#step(`${statement.name}, whose client is gone`);
    if (this.#server.ended(this.session)) return;
    try {
      await this.#run(statement);
    } catch {
      // Its client is gone.
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
    if (this.#server.ended(this.session)) return;
    await this.#step("the server notices that the client is gone");
    this.#server.end(this.session);
  }

  #step(label: string): Promise<void> {
    return this.#chance.step(`${this.#client}: ${label}`);
  }
}

export function failure(code: string): DatabaseFailure {
  return new DatabaseFailure({ code, message: "the connection was lost" });
}
