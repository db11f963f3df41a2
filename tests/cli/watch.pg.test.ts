/** `snapshot --watch` as a process: it ends with 0 when interrupted, and when its reader has gone. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { ENTRY } from "../../demo/command.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const SNAPSHOT = join(dirname(ENTRY), "snapshot.js");

const database = sharedDatabase();

function watching() {
  const child = spawn(process.execPath, [SNAPSHOT, "--watch=100ms", "-o", "jsonl"], {
    env: { DATABASE_URL: database.daemonUrl },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator](), ended: once(child, "close") };
}

it.each(["SIGINT", "SIGTERM"] as const)("ends with 0 at %s", async (signal) => {
  const { child, lines, ended } = watching();
  await lines.next();
  expect(JSON.parse(String((await lines.next()).value))).toMatchObject({ schema_version: 1 });
  child.kill(signal);
  expect(await ended).toStrictEqual([0, null]);
});

it("ends with 0 when its reader has gone", async () => {
  const { child, lines, ended } = watching();
  await lines.next();
  child.stdout.destroy();
  expect(await ended).toStrictEqual([0, null]);
});
