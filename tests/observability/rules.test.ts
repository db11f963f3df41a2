import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findProgram, runProgram } from "../support/programs.ts";
import { exposition, unknownSeries } from "./exposition.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDER = `${ROOT}config/observability/`;
const rules = readFileSync(`${FOLDER}alerts.yml`, "utf8");
const names = [...rules.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => String(name));

describe("alert rules", () => {
  test.for([
    ["hold together", "check", "alerts.yml"] as const,
    ["fire when they should and only then", "test", "alerts.test.yml"] as const,
  ])("%s", ([, verb, file], ctx) => {
    const promtool = findProgram("promtool");
    if (promtool === null) return ctx.skip("promtool is not installed (Debian: prometheus)");
    const { status, stdout, stderr } = runProgram(promtool, [verb, "rules", `${FOLDER}${file}`]);
    expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
  });

  test("name only what is exported", async () => {
    expect(await unknownSeries(rules)).toStrictEqual([]);
  });

  test("compare no rate with a bound: the daemon has decided already", () => {
    expect(rules).not.toMatch(/0\.\d/);
    expect(rules).not.toContain("gate_bound");
  });

  test("never alert on one project", () => {
    expect(rules).not.toMatch(/damascus_metrics_project_|\$labels\.project/);
  });

  test("each leads to its row in the runbook", () => {
    const links = rules.match(/runbook_url: .+/g) ?? [];
    expect(links).toHaveLength(names.length);
    const [, file = "", anchor = ""] = /runbook_url: &runbook (\S+)#(\S+)/.exec(rules) ?? [];
    const sections = readFileSync(`${ROOT}${file}`, "utf8").split(/^## /m);
    const section = sections.find((text) => anchorOf(text) === anchor) ?? "";
    expect(names.filter((name) => !section.includes(`\`${name}\``))).toStrictEqual([]);
  });
});

test("docs/prometheus.md lists the labels that a target label must not share", async () => {
  const labels = new Set(
    [...(await exposition()).matchAll(/^damascus_metrics_\w+\{(.+)\} /gm)].flatMap(([, inside = ""]) =>
      [...inside.matchAll(/(\w+)="/g)].map(([, label]) => label),
    ),
  );
  const [, listed = ""] =
    /\*\*Labels of ours\*\*: ([^.]+)\./.exec(readFileSync(`${ROOT}docs/prometheus.md`, "utf8")) ?? [];
  const documented = [...listed.matchAll(/`(\w+)`/g)].map(([, label]) => label);
  expect(new Set(documented)).toStrictEqual(labels);
});

/** As code hosts make it from a heading. */
function anchorOf(section: string): string {
  const [heading = ""] = section.split("\n");
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, "")
    .replaceAll(" ", "-");
}
