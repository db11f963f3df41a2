import { readFileSync } from "node:fs";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Prometheus } from "../../src/http/prometheus.ts";
import { PREFIX } from "../../src/http/series.ts";
import { Readiness } from "../../src/readiness.ts";
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

/** Every series that a daemon with full windows exports. */
async function exported(): Promise<Set<string>> {
  const effective = { scope: "project", value: 0.07, state: "low" } as const;
  const full = { value: 0.07, numerator: 7, n: 100, window: 100 };
  const text = await new Prometheus().expose({
    metrics: CONTRACT,
    readiness: new Readiness(() => new Date(0)).current(),
    lag: { merges: 0, seconds: 0 },
    snapshot: snapshotWith({
      metrics: [...GLOBAL, metricOf("rebase_conflict_rate", "atlas", { ...full, gate: OVERLAP, effective })],
    }),
  });
  return new Set(text.match(new RegExp(`^${PREFIX}\\w+`, "gm")));
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

  test("asks in PromQL that parses", async (ctx) => {
    const promtool = findProgram("promtool");
    if (promtool === null) return ctx.skip("promtool is not installed (Debian: prometheus)");
    const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const rules = expressions.map((expr, index) => ({
      record: `q${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m").replaceAll("$project", "a"),
    }));
    await using temporary = await mkdtempDisposable(join(tmpdir(), "dashboard-"));
    const file = join(temporary.path, "rules.json");
    await writeFile(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    const { status, stderr } = runProgram(promtool, ["check", "rules", file]);
    expect([status, stderr]).toStrictEqual([0, ""]);
  });
});
