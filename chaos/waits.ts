/**
 * Who waits for us: a sampler that looks, many times a second, which backends of the orchestrator wait for a lock that a
 * backend of ours holds or is queued for, and sums up how long each such wait lasted.
 */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { ORCHESTRATOR } from "./orchestrator.ts";

const EVERY_MS = 50;
const ROLE = "damascus_metrics";

export type Wait = {
  /** The orchestrator's backend, or an administrator's. */
  readonly application: string;
  readonly query: string;
  /** What ours was doing. */
  readonly blocker: string;
  /** While one of ours blocked it. */
  readonly ms: number;
};

type Sample = {
  readonly pid: number;
  readonly application: string;
  readonly query: string;
  readonly since: string;
  readonly waited: number;
  readonly blocker: string;
};

const LOOK = `
  SELECT a.pid, a.application_name AS application, left(a.query, 120) AS query, coalesce(l.waitstart, a.query_start)::text AS since,
         extract(epoch FROM clock_timestamp() - coalesce(l.waitstart, clock_timestamp()))::float8 * 1000 AS waited,
         (SELECT string_agg(format('%s (%s, %s %s): %s', b.application_name, b.state, b.wait_event_type, b.wait_event, left(b.query, 160)), '; ')
            FROM pg_stat_activity b WHERE b.pid = ANY (pg_blocking_pids(a.pid)) AND b.usename = '${ROLE}') AS blocker
    FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted
   WHERE a.usename <> '${ROLE}' AND a.datname = current_database() AND a.backend_type = 'client backend'`;

export class Waits {
  /** Every wait for one of ours, by backend and beginning. */
  readonly #waits = new Map<string, Wait>();
  /** Backends of ours that there ever were. */
  readonly #ours = new Set<number>();
  readonly #url: string;
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  constructor(url: string) {
    this.#url = url;
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  /** The orchestrator's own, not its administrator's. */
  get orchestrators(): readonly Wait[] {
    return [...this.#waits.values()].filter(({ application }) => application === ORCHESTRATOR);
  }

  get administrators(): readonly Wait[] {
    return [...this.#waits.values()].filter(({ application }) => application !== ORCHESTRATOR);
  }

  /** Whether a deadlock, as the server describes it, was one with a backend of ours. */
  concernsUs(deadlock: string): boolean {
    return [...deadlock.matchAll(/[Pp]rocess ([0-9]+)/g)].some(([, pid]) => this.#ours.has(Number(pid)));
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    let client: pg.Client | null = null;
    let before = performance.now();
    while (!signal.aborted) {
      try {
        client ??= await connected(this.#url);
        const now = performance.now();
        const { rows } = await client.query<Sample>(LOOK);
        const ours = await client.query<{ pid: number }>(
          "SELECT pid FROM pg_stat_activity WHERE usename = $1",
          [ROLE],
        );
        for (const { pid } of ours.rows) this.#ours.add(pid);
        for (const row of rows) if (row.blocker !== null) this.#add(row, now - before);
        before = now;
      } catch {
        await client?.end().catch(() => undefined);
        client = null;
        before = performance.now();
      }
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
    await client?.end().catch(() => undefined);
  }

  #add({ pid, application, query, since, waited, blocker }: Sample, sinceLookMs: number): void {
    const key = `${pid} ${since}`;
    const ms = (this.#waits.get(key)?.ms ?? 0) + Math.min(waited, sinceLookMs);
    this.#waits.set(key, { application, query, blocker, ms });
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}
