/** A history recorded by the daemon as the real role, and what the log then says. */
import { expect } from "vitest";
import { comparable, snapshotFromLog, startDaemon, type TestDaemonOptions } from "./daemon.ts";
import type { TestDatabase } from "./database.ts";
import { violations } from "./oracle.ts";
import { type GivenFacts, merges } from "./orchestrator.ts";

export type Row = Readonly<Record<string, unknown>> & { readonly value: number | null; readonly seq: number };

/** Lets a daemon record what is due; its memory is what the log gives. */
export async function record(database: TestDatabase, options?: TestDaemonOptions): Promise<void> {
  await using daemon = startDaemon(database, options);
  await daemon.converged();
  expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
  await daemon.stop();
}

/** A history recorded in one go, and what the oracle makes of it: nothing. */
export async function recorded(database: TestDatabase, history: readonly GivenFacts[]): Promise<void> {
  await merges(database.admin, history);
  await record(database);
  expect(await violations(database.admin)).toEqual([]);
}

/** Payloads of a kind, in the order of the log. */
export async function rows(database: TestDatabase, kind: string, scope = "global"): Promise<Row[]> {
  const result = await database.admin.query<{ payload: Row }>(
    "SELECT payload FROM events_outbox WHERE kind = $1 AND payload->>'scope' = $2 ORDER BY id",
    [kind, scope],
  );
  return result.rows.map((row) => row.payload);
}

/** Values of a kind, in the order of the log. */
export async function values(
  database: TestDatabase,
  kind: string,
  scope?: string,
): Promise<(number | null)[]> {
  return (await rows(database, kind, scope)).map((row) => row.value);
}
