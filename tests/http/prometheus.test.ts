import { beforeEach, describe, expect, test } from "vitest";
import type { GateState } from "../../src/core/gate.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import { Readiness } from "../../src/events/readiness.ts";
import { Prometheus } from "../../src/http/prometheus.ts";
import { MOST_PROJECTS } from "../../src/http/series.ts";
import { Bell } from "../../src/recorder/bell.ts";
import { GLOBAL, metricOf, OVERLAP, snapshotWith, youngProject } from "../cli/snapshot-example.ts";
import { CONTRACT } from "../core/build.ts";
import { findProgram, runProgram } from "../support/programs.ts";

const P = "damascus_metrics_";
const failure = { code: "ECONNREFUSED", message: "no" };

let prometheus: Prometheus;
beforeEach(() => {
  prometheus = new Prometheus();
});

async function text(
  snapshot: Snapshot | null = snapshotWith(),
  lag = { merges: 0, seconds: 0 },
): Promise<string> {
  const readiness = new Readiness(() => new Date(0)).current();
  return await prometheus.expose({ metrics: CONTRACT, readiness, lag, snapshot });
}

/** Samples by their name and labels, without the prefix. */
async function scrape(...now: Parameters<typeof text>): Promise<Record<string, number>> {
  const samples: Record<string, number> = {};
  for (const line of (await text(...now)).split("\n")) {
    const cut = line.lastIndexOf(" ");
    if (!line.startsWith(P)) continue;
    const name = line.slice(P.length, cut);
    expect(samples).not.toHaveProperty([name]);
    samples[name] = Number(line.slice(cut + 1));
  }
  return samples;
}

const count = (...events: DaemonEvent[]): void => events.forEach((event) => prometheus.accept(event));

const recorded = (some: Partial<Extract<DaemonEvent, { event: "merge.recorded" }>> = {}): DaemonEvent => ({
  event: "merge.recorded",
  seq: 1,
  event_id: "7",
  work_item_id: "1",
  project: "atlas",
  attempts: 1,
  values: {},
  commit_to_record_ms: 12,
  late: false,
  found_by: "poll",
  batch: 1,
  ...some,
});

function gated(trust: "low" | "unknown", overlap: "high"): Snapshot {
  const states: Record<string, GateState> = { trust, scope_overlap: overlap };
  return snapshotWith({
    metrics: GLOBAL.map((metric) =>
      metric.gate === null
        ? metric
        : { ...metric, gate: { ...metric.gate, state: states[metric.gate.name] ?? "unknown" } },
    ),
  });
}

describe("current values", () => {
  test("a defined reading has its value, its window, and its gate's state and bounds", async () => {
    const samples = await scrape();
    expect(samples).toMatchObject({
      first_pass_merge_rate: 0.88,
      first_pass_merge_rate_defined: 1,
      first_pass_merge_rate_window_merges: 50,
      first_pass_merge_rate_window_size: 50,
      p95_attempts_to_merge: 3,
      'gate_state{gate="trust",metric="first_pass_merge_rate",state="high"}': 1,
      'gate_state{gate="trust",metric="first_pass_merge_rate",state="low"}': 0,
      'gate_state{gate="trust",metric="first_pass_merge_rate",state="unknown"}': 0,
      'gate_restricted{gate="trust",metric="first_pass_merge_rate"}': 0,
      'gate_restricted{gate="scope_overlap",metric="rebase_conflict_rate"}': 0,
      'gate_bound{gate="trust",metric="first_pass_merge_rate",bound="upper"}': 0.85,
      'gate_bound{gate="scope_overlap",metric="rebase_conflict_rate",bound="lower"}': 0.05,
      'gate_since_timestamp_seconds{gate="trust",metric="first_pass_merge_rate"}':
        Date.parse("2026-11-20T14:02:11.123Z") / 1000,
      seq: 1873,
      projects: 1,
      projects_dropped: 0,
    });
  });

  test("an undefined reading has no series of its value: not NaN, not 0", async () => {
    const young = GLOBAL.map((metric) => ({ ...metric, value: null, n: 23 }));
    const exposed = await text(snapshotWith({ metrics: young }));
    expect(exposed).not.toMatch(/nan|inf\b(?!")/i);
    expect(exposed).not.toMatch(/^# HELP \S+ *$/m);
    const samples = await scrape(snapshotWith({ metrics: young }));
    expect(samples).not.toHaveProperty("first_pass_merge_rate");
    expect(samples).not.toHaveProperty("p95_attempts_to_merge");
    expect(samples).toMatchObject({
      first_pass_merge_rate_defined: 0,
      first_pass_merge_rate_window_merges: 23,
      p95_attempts_to_merge_defined: 0,
    });
  });

  test("what has closed is restricted: trust that is low, overlap that is high; unknown is neither", async () => {
    const trust = 'gate_restricted{gate="trust",metric="first_pass_merge_rate"}';
    expect(await scrape(gated("low", "high"))).toMatchObject({
      [trust]: 1,
      'gate_restricted{gate="scope_overlap",metric="rebase_conflict_rate"}': 1,
    });
    expect(await scrape(gated("unknown", "high"))).toMatchObject({ [trust]: 0 });
  });

  test("while memory cannot be trusted only what is configured, the lag and the checks are there", async () => {
    const samples = await scrape(null, { merges: 3, seconds: 75.5 });
    expect(
      Object.keys(samples).filter((name) => /gate_state|^seq|^project_|_rate$|merge$|lag_merges/.test(name)),
    ).toEqual([]);
    expect(samples).toMatchObject({
      restored: 0,
      first_pass_merge_rate_defined: 0,
      first_pass_merge_rate_window_merges: 0,
      'gate_bound{gate="trust",metric="first_pass_merge_rate",bound="upper"}': 0.85,
      lag_seconds: 75.5,
      ready: 0,
      degraded: 1,
      'check_ok{check="lag"}': 0,
      'check_failing{check="lag",reason="starting"}': 1,
    });
  });
});

describe("projects", () => {
  test("have names of their own, and what a policy must use beside what is theirs", async () => {
    expect(await scrape()).toMatchObject({
      'project_rebase_conflict_rate_defined{project="atlas"}': 0,
      'project_rebase_conflict_rate_window_merges{project="atlas"}': 23,
      'project_gate_state{gate="scope_overlap",metric="rebase_conflict_rate",project="atlas",state="unknown"}': 1,
      'project_effective_state{gate="scope_overlap",metric="rebase_conflict_rate",project="atlas",state="low"}': 1,
      'project_effective_value{gate="scope_overlap",metric="rebase_conflict_rate",project="atlas"}': 0.07,
    });
  });

  test("those that merged last are exported, the others counted; one that is gone leaves no series", async () => {
    const names = Array.from({ length: MOST_PROJECTS + 7 }, (_, index) => `p${index}`);
    const many = snapshotWith({
      projects: names.toReversed(),
      // All windows are equally full, as after a while they are.
      metrics: [...GLOBAL, ...names.toSorted().flatMap((name) => youngProject(name, 100))],
    });
    const samples = await scrape(many);
    expect(samples).toMatchObject({ projects: MOST_PROJECTS + 7, projects_dropped: 7 });
    for (const [name, exported] of [
      ["p6", false],
      ["p7", true],
      ["p206", true],
    ] as const)
      expect([name, `project_rebase_conflict_rate_defined{project="${name}"}` in samples]).toEqual([
        name,
        exported,
      ]);
    expect(await text(snapshotWith())).not.toContain("p206");
    expect(await text(many)).toMatch(/# HELP \S+projects_dropped .*\/snapshot\.json/);
  });

  test("those that a gate restricts by their own value are counted, also beyond what is exported", async () => {
    const high = { ...OVERLAP, state: "high" } as const;
    const own = { scope: "project", value: 0.2, state: "high" } as const;
    const names = Array.from({ length: MOST_PROJECTS + 9 }, (_, index) => `p${index}`);
    const restricted = names.map((name) =>
      metricOf("rebase_conflict_rate", name, {
        value: 0.2,
        numerator: 20,
        n: 100,
        window: 100,
        gate: high,
        effective: own,
      }),
    );
    // Follows the global gate.
    const young = youngProject("young").map((one) =>
      one.effective === null ? one : { ...one, effective: { ...one.effective, state: "high" as const } },
    );
    const place = 'projects_restricted{gate="scope_overlap",metric="rebase_conflict_rate"}';
    expect(await scrape(snapshotWith({ metrics: [...GLOBAL, ...restricted, ...young] }))).toMatchObject({
      [place]: MOST_PROJECTS + 9,
    });
    expect(await scrape(snapshotWith())).toMatchObject({ [place]: 0 });
    expect(await scrape(null)).not.toHaveProperty([place]);
  });

  test("any name is one label, harmless to print, and no two share one", async () => {
    const names = [
      'a"} 1\nup 0',
      "back\\slash",
      "\x1b[2J",
      "\\x1b[2J",
      "__proto__",
      "é🚀",
      "a,state:low",
      "\r",
    ];
    const hostile = snapshotWith({
      projects: names.toReversed(),
      metrics: [...GLOBAL, ...names.flatMap((name, index) => youngProject(name, 10 + index))],
    });
    const exposed = await text(hostile);
    // oxlint-disable-next-line no-control-regex
    expect(exposed).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
    const samples = await scrape(hostile);
    const merges = Object.entries(samples).filter(([name]) =>
      name.startsWith("project_rebase_conflict_rate_window_merges{"),
    );
    expect(merges.map(([, n]) => n)).toStrictEqual(names.map((_, index) => 10 + index).toReversed());
    expect(exposed).not.toMatch(/^up 0/m);
  });
});

describe("counters", () => {
  test("count what the daemon reports", async () => {
    count(
      recorded(),
      recorded({ late: true, found_by: "reconciliation", commit_to_record_ms: 90_000 }),
      recorded({ commit_to_record_ms: null }),
      { event: "merge.skipped", event_id: "9", work_item_id: null, reason: "work_item_missing" },
      { event: "merge.duplicate_ignored", event_id: "9", work_item_id: "1" },
      { event: "writer.fenced", merges: 2 },
      { event: "db.connected", server_version: "18", role: "r" },
      { event: "listen.connected" },
      { event: "db.disconnected", failure, attempt: 1, retry_in_ms: 1 },
      { event: "db.connect_failed", failure, attempt: 2, retry_in_ms: 1 },
      { event: "db.connected", server_version: "18", role: "r" },
      { event: "listen.lost", failure, retry_in_ms: 1 },
    );
    prometheus.wokenBy("notification");
    prometheus.wokenBy("notification");
    prometheus.wokenBy("timer");
    expect(await scrape()).toMatchObject({
      merges_recorded_total: 3,
      'merges_late_total{found_by="reconciliation"}': 1,
      'merges_late_total{found_by="poll"}': 0,
      'merges_skipped_total{reason="work_item_missing"}': 1,
      merges_duplicate_total: 1,
      writer_fenced_total: 1,
      'reconnects_total{connection="database"}': 1,
      'reconnects_total{connection="listen"}': 0,
      'connection_failures_total{connection="database"}': 2,
      'connection_failures_total{connection="listen"}': 1,
      'wakeups_total{source="notification"}': 2,
      'wakeups_total{source="timer"}': 1,
      'wakeups_total{source="shutdown"}': 0,
      commit_to_record_seconds_count: 2,
      'commit_to_record_seconds_bucket{le="0.025"}': 1,
      'commit_to_record_seconds_bucket{le="300"}': 2,
    });
  });

  test("of every gate's crossings begin at 0", async () => {
    const gates = [
      'gate="trust",scope="global"',
      'gate="scope_overlap",scope="global"',
      'gate="scope_overlap",scope="project"',
    ];
    const all = gates.flatMap((gate) => ["low", "high"].map((to) => `crossings_total{${gate},to="${to}"}`));
    const samples = await scrape();
    expect(
      Object.keys(samples)
        .filter((name) => name.startsWith("crossings_total"))
        .toSorted(),
    ).toStrictEqual(all.toSorted());
    expect(all.map((name) => samples[name])).toStrictEqual(all.map(() => 0));
  });

  test("a clock that was set back does not make time negative", async () => {
    count(recorded({ commit_to_record_ms: -5 }));
    expect(await scrape()).toMatchObject({ commit_to_record_seconds_sum: 0 });
  });

  test("the bell names its first source, and a wait of no time is not a wake-up", async () => {
    const sources: string[] = [];
    const bell = new Bell((source) => sources.push(source));
    await bell.wait(0);
    await bell.wait(1);
    bell.ring("listening");
    bell.ring("notification");
    await bell.wait(0);
    expect(sources).toStrictEqual(["timer", "listening"]);
  });
});

test("promtool finds nothing to fix", async (ctx) => {
  const promtool = findProgram("promtool");
  if (promtool === null) return ctx.skip("promtool is not installed (Debian: prometheus)");
  prometheus.observeProcess();
  count(recorded());
  const names = ['a"} 1\nup 0', "back\\slash", "é🚀"];
  const metrics = [...GLOBAL, ...names.flatMap((name) => youngProject(name))];
  const { status, stderr } = runProgram(
    promtool,
    ["check", "metrics"],
    await text(snapshotWith({ metrics })),
  );
  // The library's own figures of the process; their names are what dashboards for Node know.
  const ours = stderr.split("\n").filter((line) => line.startsWith(P));
  expect(ours).toStrictEqual([]);
  expect([0, 3]).toContain(status);
});
