/** The orchestrator's connections: they come again when the server was away, and what aborted them is kept. */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { isMistake } from "./administrator.ts";

export const ORCHESTRATOR = "orchestrator";
const DEADLOCK = "40P01";

export class Orchestrator {
  /** What the server said of each deadlock that a transaction of ours was the victim of. */
  readonly deadlocks: string[] = [];
  /** Statements that could never succeed. */
  readonly mistakes: string[] = [];
  readonly stopped: AbortSignal;
  readonly #url: string;

  constructor(url: string, stopped: AbortSignal) {
    const named = new URL(url);
    named.searchParams.set("application_name", ORCHESTRATOR);
    this.#url = named.href;
    this.stopped = stopped;
  }

  /** Carries the deed out again and again, on so many connections of its own, until the orchestrator is stopped. */
  async repeat(connections: number, deed: (...clients: pg.Client[]) => Promise<void>): Promise<void> {
    let clients: pg.Client[] = [];
    const leave = (): Promise<unknown> =>
      Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
    while (!this.stopped.aborted) {
      try {
        while (clients.length < connections) clients = [...clients, await this.connect()];
        await deed(...clients);
      } catch (error) {
        // A server that went away, a duplicate id after a rewind, a lock that was not granted: an orchestrator goes on.
        if (error instanceof pg.DatabaseError && error.code === DEADLOCK)
          this.deadlocks.push(error.detail ?? "");
        if (isMistake(error)) this.mistakes.push(`the load is wrong: ${String(error)}`);
        await leave();
        await this.pause(20);
      }
    }
    await leave();
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#url });
    client.on("error", () => undefined);
    await client.connect();
    await client.query("SET lock_timeout = '5s'");
    return client;
  }

  /** Shorter when the orchestrator is stopped meanwhile. */
  async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.stopped }).catch(() => undefined);
  }
}
