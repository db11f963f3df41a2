/** What is right in the end: the log by plain SQL, and memory as the log gives it. */
import { expect } from "vitest";
import { comparable, snapshotFromLog, type TestDaemon } from "./daemon.ts";
import type { TestDatabase } from "./database.ts";
import { violations } from "./oracle.ts";

/** Once nothing is due any more. */
export async function expectRight(database: TestDatabase, daemon: TestDaemon): Promise<void> {
  await daemon.converged();
  expect(await violations(database.admin)).toEqual([]);
  expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
}
