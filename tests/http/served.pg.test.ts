/** What a running daemon serves, beside what the log has: the real command, a real database. */
import { expect, it } from "vitest";
import { EVENT_KINDS, type EventKind, SCHEMAS } from "../../contracts/json-schema.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import type { RecentHistory } from "../../src/core/status-history.ts";
import { snapshotFromLog } from "../support/daemon.ts";
import { type DaemonProcess, spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { CONFLICT, event, merge, merges, REWORKED, times, transitions } from "../support/orchestrator.ts";
import { until } from "../support/until.ts";

type Served = DaemonProcess & {
  readonly text: (path: string) => Promise<string>;
  readonly json: <T>(path: string) => Promise<T>;
};

async function served(database: TestDatabase): Promise<Served> {
  const daemon = spawnDaemon(database.daemonUrl, { METRICS_HTTP_ENABLED: "true", METRICS_HTTP_PORT: "0" });
  const { address } = await daemon.line("http.listening");
  await daemon.line("daemon.ready");
  await daemon.line("listen.connected");
  const text = async (path: string): Promise<string> => (await fetch(`${String(address)}${path}`)).text();
  return Object.assign(daemon, {
    text,
    json: async <T>(path: string): Promise<T> => JSON.parse(await text(path)) as T,
  });
}

/** Samples by name and labels, without the prefix. */
function samples(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split("\n").flatMap((line) => {
      const cut = line.lastIndexOf(" ");
      return line.startsWith("damascus_metrics_") ? [[line.slice(17, cut), Number(line.slice(cut + 1))]] : [];
    }),
  );
}

it("serves the log's values on every path, also right after a restart", async () => {
  await using database = await createDatabase();
  await merges(database.admin, [...times(60), ...times(40, REWORKED), ...times(20, CONFLICT)]);
  await using first = await served(database);
  await merge(database.admin, { project: "borealis" });
  const [unusable] = await merges(database.admin, [{ project: null }]);
  await transitions(database.admin, [unusable?.itemId ?? null, null]);
  await event(database.admin, { kind: "item.noted", payload: "{}" });
  await database.admin.query("NOTIFY events_outbox");
  await first.line("merge.recorded", ({ seq }) => seq === 121);
  await first.line("merge.skipped", ({ reason }) => reason === "work_item_missing");

  const scraped = samples(await first.text("/metrics"));
  const fromLog = await snapshotFromLog(database);
  for (const { metric, value, gate } of fromLog.metrics.filter(({ project }) => project === null)) {
    const states = Object.keys(scraped).filter(
      (name) => name.startsWith("gate_state") && name.includes(`"${metric}"`) && scraped[name] === 1,
    );
    expect([scraped[metric], states]).toStrictEqual([
      value ?? undefined,
      gate === null ? [] : [`gate_state{gate="${gate.name}",metric="${metric}",state="${gate.state}"}`],
    ]);
  }
  expect(scraped).toMatchObject({
    seq: 121,
    skipped_merges: 2,
    ready: 1,
    degraded: 0,
    restored: 1,
    lag_merges: 0,
    merges_recorded_total: 121,
    'merges_skipped_total{reason="project_missing"}': 1,
    commit_to_record_seconds_count: 121,
    'reconnects_total{connection="database"}': 0,
  });
  expect(scraped['wakeups_total{source="listening"}']).toBeGreaterThan(0);
  await until("the timer wakes the loop", async () => {
    const later = samples(await first.text("/metrics"));
    return (later['wakeups_total{source="timer"}'] ?? 0) > 0;
  });

  const history = await first.json<RecentHistory>("/history.json");
  expect(history.merges).toHaveLength(121);
  expect(history.series[0]?.points.at(-1)).toMatchObject({
    seq: 121,
    value: scraped["first_pass_merge_rate"],
  });
  for (const [path, contract] of [
    ["/snapshot.json", SCHEMAS.snapshot],
    ["/history.json", SCHEMAS["recent-history"]],
  ] as const)
    expect([path, contract.safeParse(await first.json(path)).error?.issues ?? []]).toStrictEqual([path, []]);
  expect(await first.text("/")).toContain(`<data value="${scraped["first_pass_merge_rate"]}">`);
  expect(await first.stop()).toBe(0);

  await using second = await served(database);
  const again = await second.json<RecentHistory>("/history.json");
  expect(again.merges.slice(-100)).toStrictEqual(history.merges.slice(-100));
  expect(again.crossings).toStrictEqual(history.crossings);
  expect((await second.json<Snapshot>("/snapshot.json")).metrics).toStrictEqual(fromLog.metrics);

  const { rows } = await database.admin.query<{ kind: string; payload: unknown }>(
    "SELECT kind, payload FROM events_outbox WHERE kind LIKE 'metric.%' ORDER BY id",
  );
  const kinds = new Set(rows.map(({ kind }) => kind));
  expect(kinds).toStrictEqual(new Set(EVENT_KINDS));
  for (const { kind, payload } of rows)
    expect(SCHEMAS[kind as EventKind].safeParse(payload).error?.issues ?? []).toStrictEqual([]);
});

it("shows the last values, the reason and the remedy while a table is missing, and continues when it is back", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(60));
  await using daemon = await served(database);
  const before = await daemon.text("/");
  await database.admin.query("ALTER TABLE work_items RENAME TO items");
  await merge(database.admin, { project: "borealis" }).catch(() => undefined);
  await daemon.line("db.unfit");
  const during = await daemon.text("/");
  const [values] = /<data value="[^"]*">/.exec(before) ?? [""];
  expect(values).not.toBe("");
  expect(during).toContain(values);
  expect(during).toContain('class="outdated"');
  expect(during).toMatch(/class="remedy">[^<]*work_items/);
  expect(during).toContain("of merge 60");
  expect(await daemon.text("/snapshot.json")).toBe('{"error":"not_restored"}\n');
  await database.admin.query("ALTER TABLE items RENAME TO work_items");
  await until("the values are current again", async () => !(await daemon.text("/")).includes('outdated"'));
  expect(await daemon.text("/")).not.toContain('remedy"');
});
