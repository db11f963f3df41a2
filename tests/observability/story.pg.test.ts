/**
 * A real Prometheus scrapes a real daemon, for the first time after everything has happened: another process recorded the
 * backlog and ended, and this one found a late merge. What the shipped rules and the shipped dashboard make of it.
 */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { drawId, merges, mergeUnder, times } from "../support/orchestrator.ts";
import { findProgram } from "../support/programs.ts";
import { recorded } from "../support/recorded.ts";
import { until } from "../support/until.ts";
import { asked, DASHBOARD, QUERIES } from "./dashboard.ts";
import { type Labels, type RealPrometheus, startPrometheus } from "./prometheus.ts";

const RULES = fileURLToPath(new URL("../../config/observability/alerts.yml", import.meta.url));
const BAD = { attempts: 2, lastVerdict: "rebase_conflict" };
const TRUST = { gate: "trust", metric: "first_pass_merge_rate" };
const OVERLAP = { gate: "scope_overlap", metric: "rebase_conflict_rate" };
const PLACE = { job: "damascus", database: "east" };

test("what happened before the first scrape raises its alerts and its annotations", async (ctx) => {
  const program = findProgram("prometheus");
  if (program === null) return ctx.skip("prometheus is not installed (Debian: prometheus)");
  await using database = await createDatabase();
  const hidden = await drawId(database.admin);
  const unusable = { project: null };
  // Trust rises and falls; overlap becomes high, for all and for atlas.
  await recorded(database, [...times(50), unusable, ...times(100, BAD), ...times(3, { project: "zeus" })]);
  // Below the low-water mark, as a sequence with a cache leaves it.
  await mergeUnder(database.admin, hidden);

  await using daemon = spawnDaemon(database.daemonUrl, {
    METRICS_HTTP_ENABLED: "true",
    METRICS_HTTP_PORT: "0",
  });
  const { address } = await daemon.line("http.listening");
  await daemon.line("reconciliation.completed", ({ found }) => found === 1);
  const target = new URL(String(address)).host;
  const scrape = (job: string, labels: Labels, more: object = {}): object => ({
    job_name: job,
    scrape_interval: "1s",
    scrape_timeout: "1s",
    static_configs: [{ targets: [target], labels }],
    ...more,
  });
  await using prometheus = await startPrometheus(program, {
    global: { evaluation_interval: "1s" },
    rule_files: [RULES],
    scrape_configs: [
      scrape(PLACE.job, { database: PLACE.database }),
      // Target labels that collide with ours, as docs/prometheus.md says.
      scrape("renamed", { project: "ops" }),
      scrape("honored", { project: "ops" }, { honor_labels: true }),
    ],
  });

  const firing = await until("five alerts fire", async () => {
    const alerts = await prometheus.query(`ALERTS{job="${PLACE.job}"}`);
    return alerts.length >= 5 && alerts.map(({ metric }) => metric);
  });
  const { job, database: from } = PLACE;
  const all = { __name__: "ALERTS", alertstate: "firing", job, database: from };
  expect(firing.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))).toStrictEqual([
    { ...all, alertname: "DamascusGateRestricted", severity: "warning", ...OVERLAP },
    { ...all, alertname: "DamascusGateRestricted", severity: "warning", ...TRUST },
    {
      ...all,
      alertname: "DamascusMetricsFoundByReconciliation",
      severity: "info",
      found_by: "reconciliation",
    },
    { ...all, alertname: "DamascusMetricsMergeSkipped", severity: "warning" },
    { ...all, alertname: "DamascusProjectsRestricted", severity: "info", ...OVERLAP },
  ]);

  for (const expr of QUERIES) await prometheus.query(asked(expr, PLACE));
  const fallen = await newestCrossings(database);
  expect(fallen.map(([gate, to]) => `${gate} ${to}`)).toStrictEqual(["scope_overlap high", "trust low"]);
  for (const step of [1, 15, 60, 300]) expect(await annotations(prometheus, step)).toStrictEqual(fallen);

  await merges(database.admin, times(50));
  await daemon.line("threshold.crossed", ({ gate, to }) => gate === "trust" && to === "high");
  const risen = (await newestCrossings(database)).filter(([gate]) => gate === "trust");
  const annotated = await until("the crossing is annotated beside those before it", async () => {
    const events = await annotations(prometheus, 1);
    return events.length >= 3 && events;
  });
  expect(annotated).toStrictEqual([...fallen, ...risen].toSorted(byText));

  const states = 'damascus_metrics_project_gate_state{state="high"}';
  const labels = async (name: string): Promise<Set<string>> =>
    new Set(
      (await prometheus.query(`${states} and on (job) up{job="${name}"}`)).map(
        ({ metric }) => `${metric["project"]} ${metric["exported_project"]}`,
      ),
    );
  expect(await labels("renamed")).toStrictEqual(new Set(["ops atlas", "ops zeus"]));
  expect(await labels("honored")).toStrictEqual(new Set(["atlas undefined", "zeus undefined"]));
});

/** A gate, the state that it crossed to, and when, in milliseconds. */
type Crossing = readonly [gate: string, to: string, at: number];

const byText = (a: Crossing, b: Crossing): number => (a.join() < b.join() ? -1 : 1);

function nameOf(labels: Labels): string {
  return `${labels["alertname"]} ${labels["gate"] ?? ""}`;
}

/** As the log has them. */
async function newestCrossings(database: TestDatabase): Promise<Crossing[]> {
  const { rows } = await database.admin.query<{ gate: string; to: string; at: string }>(
    `SELECT DISTINCT ON (payload->>'gate') payload->>'gate' AS gate, payload->>'to' AS to,
            payload->'merge'->>'merged_at' AS at
       FROM events_outbox WHERE kind = 'metric.threshold_crossed' AND payload->>'scope' = 'global'
      ORDER BY payload->>'gate', id DESC`,
  );
  return rows.map(({ gate, to, at }) => [gate, to, Date.parse(at)] as const).toSorted(byText);
}

/** The events of the dashboard's annotation at a zoom, as Grafana makes them: a value is a time, equal ones are one event. */
async function annotations(prometheus: RealPrometheus, step: number): Promise<Crossing[]> {
  const [annotation] = DASHBOARD.annotations.list;
  const now = Date.now() / 1000;
  const series = await prometheus.range(asked(String(annotation?.expr), PLACE), now - 100 * step, now, step);
  const events = series.flatMap(({ metric, values }) =>
    [...new Set(values.map(([, value]) => Number(value)))].map(
      (at) => [metric["gate"] ?? "", metric["state"] ?? "", at] as const,
    ),
  );
  return events.toSorted(byText);
}
