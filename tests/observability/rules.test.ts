import { readFileSync } from "node:fs";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Readiness } from "../../src/events/readiness.ts";
import { Prometheus } from "../../src/http/prometheus.ts";
import { PREFIX } from "../../src/http/series.ts";
import { GLOBAL, metricOf, OVERLAP, snapshotWith } from "../cli/snapshot-example.ts";
import { CONTRACT } from "../core/build.ts";
import { findProgram, runProgram } from "../support/programs.ts";

const folder = fileURLToPath(new URL("../../config/observability/", import.meta.url));
const read = (name: string): string => readFileSync(`${folder}${name}`, "utf8");
const alerts = read("alerts.yml");
const dashboardText = read("grafana-dashboard.json");
const dashboard = JSON.parse(dashboardText) as Dashboard;

type Panel = {
  readonly id: number;
  readonly type: string;
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly custom: { readonly spanNulls?: boolean } } };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
};
type Dashboard = {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
};

/** What a daemon with full windows exports. */
async function exposition(): Promise<string> {
  const effective = { scope: "project", value: 0.07, state: "low" } as const;
  const full = { value: 0.07, numerator: 7, n: 100, window: 100 };
  return await new Prometheus().expose({
    metrics: CONTRACT,
    readiness: new Readiness(() => new Date(0)).current(),
    lag: { merges: 0, seconds: 0 },
    snapshot: snapshotWith({
      metrics: [...GLOBAL, metricOf("rebase_conflict_rate", "atlas", { ...full, gate: OVERLAP, effective })],
    }),
  });
}

/** The names of every series of it. */
async function exported(): Promise<Set<string>> {
  return new Set((await exposition()).match(new RegExp(`^${PREFIX}\\w+`, "gm")));
}

const named = (text: string): string[] => [...new Set(text.match(new RegExp(`${PREFIX}\\w+`, "g")))];

describe("alert rules", () => {
  test.for([
    ["hold together", "check", "alerts.yml"] as const,
    ["fire when they should and only then", "test", "alerts.test.yml"] as const,
  ])("%s", ([, verb, file], ctx) => {
    const promtool = findProgram("promtool");
    if (promtool === null) return ctx.skip("promtool is not installed (Debian: prometheus)");
    const { status, stdout, stderr } = runProgram(promtool, [verb, "rules", `${folder}${file}`]);
    expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
  });

  test("name only what is exported", async () => {
    const known = await exported();
    expect(named(alerts).filter((name) => !known.has(name))).toStrictEqual([]);
  });

  test("compare no rate with a bound: the daemon has decided already", () => {
    expect(alerts).not.toMatch(/0\.\d/);
    expect(alerts).not.toContain("gate_bound");
  });
});

describe("dashboard", () => {
  test("names only what is exported", async () => {
    const known = await exported();
    expect(named(dashboardText).filter((name) => !known.has(name))).toStrictEqual([]);
  });

  test("has a fixed uid, and its data source is the reader's choice everywhere", () => {
    expect(dashboard.uid).toBe("damascus-metrics");
    expect(dashboard.templating.list).toContainEqual(
      expect.objectContaining({ name: "datasource", type: "datasource" }),
    );
    for (const panel of dashboard.panels.filter(({ type }) => type !== "row")) {
      expect([panel.datasource, ...(panel.targets ?? []).map(({ datasource }) => datasource)]).toSatisfy(
        (sources: { uid: string }[]) => sources.every(({ uid }) => uid === "${datasource}"),
      );
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  test("leaves gaps where a metric is undefined, and holds no bound", () => {
    for (const panel of dashboard.panels.filter(({ type }) => type === "timeseries"))
      expect(panel.fieldConfig?.defaults.custom.spanNulls).toBe(false);
    expect(dashboardText).not.toMatch(/0\.(85|7|1|05)\b|"thresholds"/);
  });

  test("asks what can be answered, also with two daemons beside each other", async (ctx) => {
    const promtool = findProgram("promtool");
    if (promtool === null) return ctx.skip("promtool is not installed (Debian: prometheus)");
    const samples = (await exposition()).split("\n").filter((line) => line.startsWith(PREFIX));
    const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const asked = expressions.map((expr) =>
      expr.replaceAll("$__rate_interval", "5m").replaceAll("$project", ".*"),
    );
    const given = ["a", "b"].flatMap((instance) =>
      samples.map((line) => {
        const [, name = "", labels = "", value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
        const all = [`instance="${instance}"`, ...(labels === "" ? [] : [labels])].join();
        return { series: `${name}{${all}}`, values: `${value}x30` };
      }),
    );
    // Whatever is answered is not what is expected here; what matters is that it is answered, and by which series.
    const questions = asked.map((expr) => ({
      expr,
      eval_time: "20m",
      exp_samples: [{ labels: "none", value: -1 }],
    }));
    await using temporary = await mkdtempDisposable(join(tmpdir(), "dashboard-"));
    const file = join(temporary.path, "dashboard.json");
    const tests = [{ interval: "1m", input_series: given, promql_expr_test: questions }];
    await writeFile(file, JSON.stringify({ rule_files: [], evaluation_interval: "1m", tests }));
    const { stderr } = runProgram(promtool, ["test", "rules", file]);
    expect(stderr).not.toMatch(/err:|parse error|many-to-many/);
    const answers = stderr.split(/^ {4}expr: /m).slice(1);
    expect(answers).toHaveLength(asked.length);
    const silent = answers
      .filter((answer) => /got:\s*nil/.test(answer))
      .map((answer) => answer.split(",")[0]);
    expect(silent).toStrictEqual([]);
  });
});
