/** The process as it may be locked down, and how it dies when something unforeseen happens. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { ENTRY } from "../../demo/command.ts";
import { backends } from "../support/backends.ts";
import { untilRecorded } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { merge, merges, times } from "../support/orchestrator.ts";
import { until } from "../support/until.ts";

const ROOT = dirname(dirname(ENTRY));

it("an unforeseen rejection ends it with 1 and one line: nothing is known to be sound afterwards", async () => {
  await using database = await createDatabase();
  const folder = mkdtempSync(join(tmpdir(), "damascus-unforeseen-"));
  const module = join(folder, "unforeseen.mjs");
  writeFileSync(
    module,
    `setInterval(() => {
      if (process.listenerCount("SIGTERM") > 0) Promise.reject(new Error("unforeseen"));
    }, 20);`,
  );
  await using daemon = spawnDaemon(database.daemonUrl, { NODE_OPTIONS: `--import=${module}` });
  expect(await daemon.exit).toBe(1);
  rmSync(folder, { recursive: true });
  expect(daemon.output().match(/^.*unforeseen.*$/gm)).toHaveLength(1);
  await until("no backend is left", async () => (await backends(database)) === 0);
});

it("the daemon needs no child process, no writing to files and no __proto__", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(55));
  await using daemon = spawnDaemon(database.daemonUrl, {
    METRICS_HTTP_ENABLED: "true",
    METRICS_HTTP_PORT: "0",
    NODE_OPTIONS: `--permission --allow-fs-read=${ROOT}/* --disable-proto=delete`,
  });
  await daemon.line("daemon.ready");
  const { address } = await daemon.line("http.listening");
  await merge(database.admin);
  await untilRecorded(database);
  for (const path of ["/readyz", "/snapshot.json", "/metrics"])
    expect((await fetch(`${String(address)}${path}`)).status).toBe(200);
  expect(await daemon.stop()).toBe(0);
  expect(await violations(database.admin)).toEqual([]);
});
