/** The pages that people act on are complete: alerts, series, verbs, files. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import { VERBS } from "../src/cli/program.ts";
import { VARIABLES } from "../src/config/variables.ts";
import { METRIC_NAMES } from "../src/core/metric.ts";
import { Readiness } from "../src/events/readiness.ts";
import { Prometheus } from "../src/http/prometheus.ts";
import { PREFIX } from "../src/http/series.ts";
import { snapshotWith } from "./cli/snapshot-example.ts";
import { CONTRACT } from "./core/build.ts";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const skill = read("skills/SKILL.md");
const prometheus = read("docs/prometheus.md");

describe("the operator's card", () => {
  test("has a remedy for each alert, and for no other", () => {
    const alerts = read("config/observability/alerts.yml").match(/(?<=alert: )\w+/g) ?? [];
    expect(alerts.length).toBeGreaterThan(5);
    expect(skill.match(/(?<=^\| `)Damascus\w+/gm)).toStrictEqual(alerts);
  });

  test("has every verb", () => {
    expect(VERBS.filter(({ name }) => !skill.includes(`| \`metrics ${name}`))).toStrictEqual([]);
  });
});

test("every series is on the page about Prometheus", async () => {
  const exposed = await new Prometheus().expose({
    metrics: CONTRACT,
    readiness: new Readiness(() => new Date(0)).current(),
    lag: { merges: 0, seconds: 0 },
    snapshot: snapshotWith(),
  });
  const names = new Set(exposed.match(new RegExp(`(?<=^# TYPE ${PREFIX})\\w+`, "gm")));
  const shown = [...names].filter((name) => {
    const [, stem = name, suffix = ""] = /^(.*?)(_defined|_window_merges|_window_size)?$/.exec(name) ?? [];
    return prometheus.includes(`\`${stem}\``) && (suffix === "" || prometheus.includes(`\`${suffix}\``));
  });
  expect([...names].filter((name) => !shown.includes(name))).toStrictEqual([]);
});

const PAGES = globSync("**/*.md", {
  cwd: new URL("..", import.meta.url),
  exclude: (name) => name === "node_modules" || name.startsWith(".data"),
});

describe("every page", () => {
  test.each(PAGES)("%s leads to files and headings that exist", (page) => {
    const text = read(page);
    const links = [...text.matchAll(/(?:\]\(|src=")([^)"\s:]+)(?=[)"])/g)].map(([, link = ""]) => link);
    const broken = links.filter((link) => {
      const [file = "", heading = null] = link.split("#");
      const target = file === "" ? page : posix.join(posix.dirname(page), file);
      if (!existsSync(new URL(`../${target}`, import.meta.url))) return true;
      return heading !== null && !headingsOf(read(target)).includes(heading);
    });
    expect(broken).toStrictEqual([]);
  });

  test("is named by the index", () => {
    const index = read("docs/README.md");
    const named = PAGES.filter((page) => /^(docs\/)?[^/]+\.md$/.test(page) && !page.endsWith("README.md"));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((page) => !index.includes(`(${posix.relative("docs", page)})`))).toStrictEqual([]);
  });
});

/** As GitHub names the anchors of a page's headings. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("README.md", () => {
  const readme = read("README.md");

  test("is shorter than 120 lines", () => {
    expect(readme.split("\n").length).toBeLessThan(120);
  });

  test("begins with a picture and exactly two commands", () => {
    const [firstScreen = ""] = readme.split(/^## /m);
    expect(firstScreen).toContain("docs/images/status-page.png");
    expect(
      [...firstScreen.matchAll(/(?<=^```sh\n)[^]*?(?=\n```$)/gm)].map(([command]) => command),
    ).toStrictEqual(["npm ci && npm run demo", "npm ci && npm test"]);
  });
});

test("docs/settings.md has every variable with its default", () => {
  const rows = read("docs/settings.md")
    .split("\n")
    .filter((line) => line.startsWith("| `METRICS_"));
  const missing = Object.values(VARIABLES).filter(({ name, fallback }) => {
    const row = rows.find((one) => one.includes(`\`${name}\``));
    return row?.includes(`\`${fallback}\``) !== true;
  });
  expect(missing).toStrictEqual([]);
});

describe("docs/contract.md", () => {
  const page = read("docs/contract.md");

  test.each([
    ["Metric rows", METRIC_NAMES.map((name) => `metric.${name}`), []],
    [
      "`metric.threshold_crossed`",
      ["metric.threshold_crossed"],
      METRIC_NAMES.map((name) => `metric.${name}`),
    ],
    ["`metric.merge_skipped`", ["metric.merge_skipped"], []],
    ["`metric.checkpoint`", ["metric.checkpoint"], []],
  ])("%s: the fields of the published schemas, and no others", (heading, kinds, explained) => {
    const [, section = ""] = page.split(new RegExp(`^### ${heading}$`, "m"));
    const [table = ""] = section.split(/^##/m);
    const shown = (table.match(/^\|(?: `[\w.]+`)+ \|/gm) ?? []).flatMap(
      (cell) => cell.match(/[\w.]+/g) ?? [],
    );
    // The inner shape of a checkpoint is the daemon's own.
    const depth = heading.includes("checkpoint") ? 1 : 2;
    const before = new Set(explained.flatMap((kind) => fieldsOf(kind, depth)));
    const published = new Set(kinds.flatMap((kind) => fieldsOf(kind, depth)));
    expect(shown.toSorted()).toStrictEqual([...published].filter((field) => !before.has(field)).toSorted());
  });

  test("the reasons for a skip", () => {
    const { properties } = JSON.parse(read("config/contracts/metric.merge_skipped.schema.json")) as Schema;
    const line = page.split("\n").find((one) => one.startsWith("| `reason` |")) ?? "";
    expect(line.match(/(?<=`)\w+(?=`)/g)?.slice(1)).toStrictEqual(properties?.["reason"]?.examples);
  });

  test("gates, windows and bounds are those of config/metrics.json", () => {
    const { metrics } = JSON.parse(read("config/metrics.json")) as {
      readonly metrics: Record<string, ConfiguredMetric>;
    };
    const gates = /(?<=^## Gates$)[^]*?(?=^## )/m.exec(page)?.[0] ?? "";
    const rows = Object.entries(metrics).map(([name, { window, record, gate }]) =>
      [
        "",
        gate === undefined ? "none" : `\`${gate.name}\``,
        `\`${name}\``,
        window,
        gate?.upper,
        gate?.lower,
        record.map((scope) => `\`${scope}\``).join(" "),
        "",
      ]
        .join(" | ")
        .replaceAll(/ +/g, " ")
        .trim(),
    );
    expect(gates.split("\n").filter((line) => /^\| .*\d/.test(line))).toStrictEqual(rows);
  });
});

type ConfiguredMetric = {
  readonly window: number;
  readonly record: readonly string[];
  readonly gate?: { readonly name: string; readonly upper: number; readonly lower: number };
};

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly examples?: readonly string[];
};

/** The fields of a published schema, those of objects with a dot between. */
function fieldsOf(kind: string, depth: number): string[] {
  return membersOf(JSON.parse(read(`config/contracts/${kind}.schema.json`)) as Schema, depth);
}

function membersOf({ properties = {}, oneOf = [], anyOf = [] }: Schema, depth: number): string[] {
  if (depth === 0) return [];
  const own = Object.entries(properties).flatMap(([name, member]) => [
    name,
    ...membersOf(member, depth - 1).map((inner) => `${name}.${inner}`),
  ]);
  return [...own, ...[...oneOf, ...anyOf].flatMap((schema) => membersOf(schema, depth))];
}
