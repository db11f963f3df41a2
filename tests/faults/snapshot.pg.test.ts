/** `metrics snapshot` where something is wrong: right numbers, or none and the reason; nothing in between. */
import { execFile } from "node:child_process";
import { describe, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { startDaemon } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase } from "../support/database.ts";
import { hold, merge, merges, times } from "../support/orchestrator.ts";
import { isAppend, startProxy } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

type Ran = { readonly code: number; readonly out: string; readonly err: string };

function snapshot(url: string, ...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [ENTRY, "snapshot", "--json", ...args],
      { env: environment(url) },
      (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

describe("it prints nothing, exits with 3 and says why", () => {
  it("where no server listens", async () => {
    const { code, out, err } = await snapshot("postgres://nobody@127.0.0.1:1/nothing");
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toMatch(/cannot be reached.*ECONNREFUSED/);
  });

  it("where no answer comes, within its timeout", async () => {
    await using database = await createDatabase();
    await using proxy = await startProxy(database.daemonUrl);
    proxy.mode = "blackhole";
    const { code, out, err } = await snapshot(proxy.url(database.daemonUrl), "--timeout", "300ms");
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toMatch(/did not answer in time: check host and port/);
  });

  it("where the connection falls silent in the middle of the log", async () => {
    await using database = await createDatabase();
    await using proxy = await startProxy(database.daemonUrl);
    proxy.onMessage = ({ text }) => (text.includes("metric.") ? "blackhole" : "pass");
    const { code, out, err } = await snapshot(proxy.url(database.daemonUrl), "--timeout", "300ms");
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).not.toBe("");
  });

  it("where another transaction keeps the table locked", async () => {
    await using database = await createDatabase();
    await using migration = await hold(database);
    await migration.client.query("LOCK TABLE events_outbox IN ACCESS EXCLUSIVE MODE");
    const { code, out, err } = await snapshot(database.daemonUrl, "--timeout", "300ms");
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).not.toBe("");
  });

  it("where the log contradicts itself", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merges(database.admin, times(5));
    await daemon.converged();
    await daemon.stop();
    await database.admin.query(
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{numerator}', '7') WHERE kind = 'metric.rebase_conflict_rate'`,
    );
    const { code, out, err } = await snapshot(database.daemonUrl);
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toMatch(/events_outbox row \d+/);
  });
});

it("while the server crashes and comes back: the right numbers, or none", async () => {
  await using server = await startServer();
  await using database = await createDatabase({ adminUrl: server.url() });
  await using daemon = startDaemon(database);
  await merges(database.admin, times(60));
  await daemon.converged();
  const right = (JSON.parse((await snapshot(database.daemonUrl)).out) as Snapshot).metrics;
  const over = new AbortController();
  const crashing = (async () => {
    for (let crashes = 0; crashes < 4; crashes += 1) await server.restart("immediate");
    over.abort();
  })();
  const answers: Ran[] = [];
  while (!over.signal.aborted) answers.push(await snapshot(database.daemonUrl));
  await crashing;
  answers.push(await snapshot(database.daemonUrl));
  const told = answers.map(({ code, out }) =>
    code === 0 ? (JSON.parse(out) as Snapshot).metrics : { code, out },
  );
  for (const answer of told) expect([right, { code: 3, out: "" }]).toContainEqual(answer);
  expect(answers.at(-1)?.code).toBe(0);
});

it("while the daemon is stopped within a write: what is recorded, and what is due", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(55));
  await using proxy = await startProxy(database.daemonUrl);
  await using daemon = spawnDaemon(proxy.url(database.daemonUrl));
  await daemon.line("daemon.ready");
  let inWrite = false;
  proxy.onMessage = (message) => {
    if (!inWrite && isAppend(message)) {
      inWrite = true;
      daemon.signal("SIGSTOP");
    }
    return "pass";
  };
  await merge(database.admin);
  await until("it stands still", () => inWrite);
  const { code, out } = await snapshot(database.daemonUrl);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    as_of: { seq: 55 },
    lag: { merges: 1 },
    daemon: { running: 1 },
  });
  daemon.signal("SIGCONT");
});
