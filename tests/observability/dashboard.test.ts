import { mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, type TestContext, test } from "vitest";
import { PREFIX } from "../../src/http/series.ts";
import { findProgram, runProgram } from "../support/programs.ts";
import { asked, DASHBOARD, DASHBOARD_TEXT, PANELS, QUERIES } from "./dashboard.ts";
import { exposition, unknownSeries } from "./exposition.ts";

const MODULES = fileURLToPath(new URL("../../node_modules/", import.meta.url));

test("names only what is exported", async () => {
  expect(await unknownSeries(DASHBOARD_TEXT)).toStrictEqual([]);
});

test("is a dashboard by Grafana's published types", () => {
  mkdirSync(`${MODULES}.cache`, { recursive: true });
  using folder = mkdtempDisposableSync(`${MODULES}.cache/dashboard-`);
  const types = fileURLToPath(new URL("dashboard-schema.ts", import.meta.url));
  const file = join(folder.path, "dashboard.ts");
  writeFileSync(
    file,
    `import type { DashboardFile } from ${JSON.stringify(types)};\nexport default ${DASHBOARD_TEXT.trimEnd()} satisfies DashboardFile;\n`,
  );
  const options = [
    "--ignoreConfig",
    "--noEmit",
    "--strict",
    "--exactOptionalPropertyTypes",
    "--skipLibCheck",
  ];
  const modules = ["--target", "es2024", "--module", "nodenext", "--allowImportingTsExtensions"];
  const { status, stdout } = runProgram(`${MODULES}.bin/tsc`, [...options, ...modules, file]);
  expect([stdout, status]).toStrictEqual(["", 0]);
});

test("has a fixed uid, and its data source, job, database and instances are the reader's choice everywhere", () => {
  expect(DASHBOARD.uid).toBe("damascus-metrics");
  const variables = DASHBOARD.templating?.list?.map(({ name, type }) => [name, type]);
  expect(variables).toStrictEqual([
    ["datasource", "datasource"],
    ...["job", "database", "instance", "project"].map((name) => [name, "query"]),
  ]);
  const annotations = DASHBOARD.annotations.list;
  const sources = [...PANELS, ...PANELS.flatMap(({ targets }) => targets), ...annotations].map(
    ({ datasource }) => datasource?.uid,
  );
  expect(new Set(sources)).toStrictEqual(new Set(["${datasource}"]));
  for (const expr of [...QUERIES, ...annotations.map((one) => one.expr)])
    for (const [selector = ""] of expr.matchAll(new RegExp(`${PREFIX}\\w+.{0,60}`, "g")))
      expect(selector).toMatch(/^\w+\{job="\$job",database="\$database",instance=~"\$instance"[,}]/);
  const ids = DASHBOARD.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("panels are few, do not overlap, and none is narrower than a quarter of the width", () => {
  const places = DASHBOARD.panels.map(({ gridPos }) => gridPos ?? { x: 0, y: 0, w: 0, h: 0 });
  const cells = places.flatMap(({ x, y, w, h }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(Math.min(...places.map(({ w }) => w))).toBeGreaterThanOrEqual(6);
  expect(PANELS.length).toBeLessThanOrEqual(14);
});

test("leaves gaps where a metric is undefined, and holds no bound", () => {
  const charts = PANELS.filter((panel) => panel.type === "timeseries");
  const spans = charts.map(({ fieldConfig }) => fieldConfig.defaults.custom?.spanNulls);
  expect(new Set(spans)).toStrictEqual(new Set([false]));
  expect(DASHBOARD_TEXT).not.toMatch(/0\.(85|7|1|05)\b|"thresholds"/);
});

function promtoolOf(ctx: TestContext): string {
  return findProgram("promtool") ?? ctx.skip("promtool is not installed (Debian: prometheus)");
}

type Given = { readonly series: string; readonly values: string };

/** `promtool test rules` without rules. @returns what it says on standard error. */
async function answersTo(
  promtool: string,
  given: readonly Given[],
  questions: readonly unknown[],
): Promise<string> {
  await using temporary = await mkdtempDisposable(join(tmpdir(), "dashboard-"));
  const file = join(temporary.path, "dashboard.json");
  const tests = [{ interval: "1m", input_series: given, promql_expr_test: questions }];
  await writeFile(file, JSON.stringify({ rule_files: [], evaluation_interval: "1m", tests }));
  return runProgram(promtool, ["test", "rules", file]).stderr;
}

test("asks what can be answered, also with two daemons of each of two databases", async (ctx) => {
  const promtool = promtoolOf(ctx);
  const samples = (await exposition()).split("\n").filter((line) => line.startsWith(PREFIX));
  const targets = ["east", "west"].flatMap((database) =>
    ["a", "b"].map((instance) => `job="damascus",database="${database}",instance="${database}-${instance}"`),
  );
  const given = targets.flatMap((target) =>
    samples.map((line) => {
      const [, name = "", labels = "", value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      return {
        series: `${name}{${[target, ...(labels === "" ? [] : [labels])].join()}}`,
        values: `${value}x30`,
      };
    }),
  );
  const questions = QUERIES.map((expr) => asked(expr, { job: "damascus", database: "east" }));
  // Not what is answered is expected here, but that each question is.
  const stderr = await answersTo(
    promtool,
    given,
    questions.map((expr) => ({ expr, eval_time: "20m", exp_samples: [{ labels: "none", value: -1 }] })),
  );
  expect(stderr).not.toMatch(/err:|parse error|many-to-many/);
  const answers = stderr.split(/^ {4}expr: /m).slice(1);
  expect(answers).toHaveLength(questions.length);
  const silent = answers.filter((answer) => /got:\s*nil/.test(answer)).map((answer) => answer.split(",")[0]);
  expect(silent).toStrictEqual([]);
});

/** The trust metric of one daemon. */
function daemon(labels: string, n: number, value: number | null): Given[] {
  const name = "damascus_metrics_first_pass_merge_rate";
  return [
    { series: `${name}_window_merges{${labels}}`, values: `${n}x30` },
    { series: `${name}_window_size{${labels}}`, values: "50x30" },
    ...(value === null ? [] : [{ series: `${name}{${labels}}`, values: `${value}x30` }]),
  ];
}

test("one figure shows the value and its window, of the chosen database only", async (ctx) => {
  const promtool = promtoolOf(ctx);
  const [target] =
    PANELS.find(({ title, type }) => type === "stat" && title === "First-pass merge rate")?.targets ?? [];
  const given = [
    ...daemon('job="damascus",instance="a",database="east"', 50, 0.88),
    ...daemon('job="damascus",instance="b",database="east"', 50, 0.88),
    ...daemon('job="damascus",instance="c",database="west"', 23, null),
    ...daemon('job="other",instance="d"', 50, 0.6),
  ];
  const figure = (job: string, database: string | null, n: number, value: number): unknown => ({
    expr: asked(String(target?.expr), { job, database }),
    eval_time: "20m",
    exp_samples: [{ labels: `{n="${n}", window="50", fill="${n}/50"}`, value }],
  });
  const questions = [
    figure("damascus", "east", 50, 0.88),
    // Shown as "undefined".
    figure("damascus", "west", 23, -1),
    figure("other", null, 50, 0.6),
  ];
  expect(await answersTo(promtool, given, questions)).toBe("");
});
