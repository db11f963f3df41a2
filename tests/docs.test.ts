/** The pages that people act on name what there is: alerts, series, verbs, files. */
import { existsSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { defineMetrics, type Verbs } from "../src/cli/commands.ts";
import { Prometheus } from "../src/http/prometheus.ts";
import { PREFIX } from "../src/http/series.ts";
import { Readiness } from "../src/readiness.ts";
import { fakeTerminal } from "./cli/fake-terminal.ts";
import { snapshotWith } from "./cli/snapshot-example.ts";
import { CONTRACT } from "./core/build.ts";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const skill = read("skills/SKILL.md");
const prometheus = read("docs/prometheus.md");

describe("the operator's card", () => {
  test("says what to do for each alert, and for no other", () => {
    const alerts = read("config/observability/alerts.yml").match(/(?<=alert: )\w+/g) ?? [];
    expect(alerts.length).toBeGreaterThan(5);
    expect(skill.match(/(?<=^\| `)Damascus\w+/gm)).toStrictEqual(alerts);
  });

  test("has every verb", () => {
    const command = new Command("metrics");
    defineMetrics(command, fakeTerminal({}).terminal, {} as Verbs, () => undefined);
    const verbs = command.commands.map((one) => one.name());
    expect(verbs.filter((verb) => !skill.includes(`| \`metrics ${verb}`))).toStrictEqual([]);
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
  const told = [...names].filter((name) => {
    const [, stem = name, suffix = ""] = /^(.*?)(_defined|_window_merges|_window_size)?$/.exec(name) ?? [];
    return prometheus.includes(`\`${stem}\``) && (suffix === "" || prometheus.includes(`\`${suffix}\``));
  });
  expect([...names].filter((name) => !told.includes(name))).toStrictEqual([]);
});

test.each(["docs/consumers.md", "docs/prometheus.md", "skills/SKILL.md"])(
  "%s leads to files that are there",
  (page) => {
    const folder = page.slice(0, page.lastIndexOf("/") + 1);
    const links = read(page).match(/(?<=\]\()[^)#:]+(?=\))/g) ?? [];
    for (const link of links) expect(existsSync(new URL(`../${folder}${link}`, import.meta.url))).toBe(true);
  },
);
