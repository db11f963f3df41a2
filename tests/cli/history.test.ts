import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { renderHistory } from "../../src/cli/history-text.ts";
import { main } from "../../src/cli/program.ts";
import type { HistoryOptions } from "../../src/cli/read-history.ts";
import type { History, HistorySeries } from "../../src/core/history.ts";
import { point, points, ROSE } from "../core/points.ts";
import { fakeTerminal, NOTHING } from "./fake-terminal.ts";
import { readExample } from "./snapshot-example.ts";

const GATE = { name: "trust", upper: 0.85, lower: 0.7 };

function seriesOf(some: Partial<HistorySeries> = {}): HistorySeries {
  return {
    metric: "first_pass_merge_rate",
    scope: "global",
    project: null,
    source: "recorded",
    gate: GATE,
    points: [
      ...points(null, null, 0.6, 0.7, 0.75, 0.8, 0.84).map((one) => ({ ...one, state: "low" as const })),
      point(8, 0.86, { state: "high", crossing: ROSE }),
      point(9, 0.9, { state: "high" }),
    ],
    ...some,
  };
}

const HISTORY: History = {
  schema_version: 1,
  as_of: { seq: 9, event_id: "1063", merged_at: null, generated_at: "2026-11-22T12:00:00.000Z" },
  series: [seriesOf()],
};

async function type(args: string, some: Parameters<typeof fakeTerminal>[0] & { history?: History } = {}) {
  const { terminal, written } = fakeTerminal(some);
  const asked: HistoryOptions[] = [];
  const readHistory = async (_: unknown, options: HistoryOptions) => {
    asked.push(options);
    return some.history ?? HISTORY;
  };
  const code = await main("metrics", args.split(" "), terminal, {
    ...NOTHING,
    readHistory,
    readSnapshot: readExample,
  });
  return { code, ...written, asked };
}

const VIEW = { columns: 60, height: 7, ascii: true, colour: false };

/** The labels of an axis, the highest first. */
function labelsOf(low: number, high: number, metric: HistorySeries["metric"] = "first_pass_merge_rate") {
  const series = seriesOf({ metric, gate: null, points: points(low, high) });
  return renderHistory([series], VIEW).match(/\S+(?= \|)/g);
}

describe("a history in text", () => {
  test("plots values between their bounds, states and crossings below", () => {
    expect(renderHistory([seriesOf()], VIEW)).toBe(
      [
        "first_pass_merge_rate = 90.0% (n=50/50)",
        "    90% |                             ********",
        "        |-----------------------------*------- up >= 85%",
        "    80% |                     *********",
        "    70% |                 *****",
        "        |-------------*****------------------- down < 70%",
        "        |             *",
        "    60% |         *****",
        "        +-------------------------------------",
        "  state  LLLLLLLLLLLLLLLLLLLLLLLLLLLLLHHHHHHHH H high L low",
        "                                      ^",
        "         merge 1    merge 9, 2026-11-22 10:09Z",
        "  ^ trust low to high at 86.0%, merge 8 (event 1056, 2026-11-22 10:08Z)",
        "",
      ].join("\n"),
    );
  });

  test("uses braille and blocks, within the terminal's width", () => {
    const text = renderHistory([seriesOf()], { ...VIEW, ascii: false });
    expect(text).toMatch(/[⠁-⣿]/);
    expect(text).toMatch(/▁█+ +█ high ▁ low/);
    for (const line of text.split("\n").slice(1, -2)) expect(line.length).toBeLessThanOrEqual(60);
  });

  test("labels its axis with round values only", () => {
    expect(labelsOf(0.81, 0.86)).toStrictEqual(["86%", "84%", "82%", "80%"]);
    expect(labelsOf(0, 1)).toStrictEqual(["100%", "50%", "0%"]);
    expect(labelsOf(2, 40, "p95_attempts_to_merge")).toStrictEqual(["40", "20", "0"]);
    expect(labelsOf(1, 2, "p95_attempts_to_merge")).toStrictEqual(["3", "2", "1", "0"]);
  });

  test("is coloured only where that is wanted", () => {
    expect(renderHistory([seriesOf()], VIEW)).not.toContain("\x1b");
    const coloured = renderHistory([seriesOf()], { ...VIEW, colour: true });
    expect(coloured).toContain("\x1b[1mfirst_pass_merge_rate\x1b[22m = 90.0% (n=");
    expect(coloured).toContain("\x1b[36m***");
    expect(renderHistory([seriesOf({ points: points(null) })], { ...VIEW, colour: true })).toContain(
      " = \x1b[2mundefined\x1b[22m (n=",
    );
  });

  test("reports missing merges and undefined values", () => {
    expect(renderHistory([seriesOf({ points: [] })], VIEW)).toBe(
      "first_pass_merge_rate: no merges recorded yet\n",
    );
    expect(renderHistory([seriesOf({ points: points(null, null) })], VIEW)).toBe(
      "first_pass_merge_rate = undefined (n=2/50)\n  undefined so far: 48 more merges needed\n",
    );
    const none = seriesOf({ points: points(0.8, 0.8) });
    expect(renderHistory([none], VIEW)).toContain("  no crossings in these merges\n");
  });

  test("cannot be forged by a project's name", () => {
    const forged = seriesOf({
      scope: "project",
      project: "x\n\x1b[2Jfirst_pass_merge_rate = 100%",
      source: "computed",
    });
    const text = renderHistory([forged], VIEW);
    expect(text).not.toContain("\x1b");
    expect(text).not.toMatch(/^first_pass_merge_rate = 100%/m);
    expect(text).toContain("computed: not recorded for projects");
  });
});

describe("metrics history", () => {
  test("asks for what is wanted", async () => {
    const { asked } = await type("history rebase --project atlas --project zeus --last 20 --timeout 2s");
    expect(asked).toMatchObject([
      { metric: "rebase_conflict_rate", projects: ["atlas", "zeus"], last: 20, timeoutMs: 2000 },
    ]);
    expect((await type("history scope_overlap")).asked).toMatchObject([{ metric: "rebase_conflict_rate" }]);
    expect((await type("history")).asked).toMatchObject([{ metric: null, projects: [], last: 500 }]);
  });

  test.each([
    ["history p59_attempts_to_merge", "did you mean p95_attempts_to_merge?"],
    ["history --last 0", "whole number from 1 to 100000"],
    ["history --svg x.svg", "name a metric"],
    ["history first --svg x.svg --project a --project b", "at most one project"],
  ])("%s exits with 2", async (args, why) => {
    const { code, err, out, asked } = await type(args);
    expect([code, out, asked]).toStrictEqual([2, "", []]);
    expect(err).toContain(why);
  });

  test("reports a project without merges on standard error; --strict fails", async () => {
    const history = {
      ...HISTORY,
      series: ["atlas", "atals"].map((project) =>
        seriesOf({ scope: "project", project, points: project === "atlas" ? points(1) : [] }),
      ),
    };
    expect(await type("history --json --strict --project atlas --project atals", { history })).toMatchObject({
      code: 1,
      err: "project atals: no merges recorded; did you mean atlas?\n",
    });
  });

  test("--json is nothing but the document", async () => {
    const { out, err } = await type("history --json");
    expect(JSON.parse(out)).toStrictEqual(JSON.parse(JSON.stringify(HISTORY)));
    expect(err).toBe("");
  });

  test("-o jsonl is a point in each line", async () => {
    const { out } = await type("history -o jsonl");
    const lines = out.trimEnd().split("\n");
    expect(lines).toHaveLength(9);
    expect(JSON.parse(lines[7] ?? "")).toMatchObject({
      metric: "first_pass_merge_rate",
      seq: 8,
      crossing: ROSE,
    });
  });

  test("--svg writes a complete document", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "history-"));
    const file = join(folder.path, "chart.svg");
    const { out, err } = await type(`history first --svg ${file}`);
    expect([out, err]).toStrictEqual(["", `written to ${file}\n`]);
    expect(await readFile(file, "utf8")).toMatch(/^<svg [^]*<style>[^]*<\/svg>\n$/);
    expect((await type("history first --svg -")).out).toMatch(/^<svg /);
    const { code, err: refused } = await type("history first --svg /nonexistent/chart.svg");
    expect([code, refused]).toStrictEqual([
      1,
      'metrics: --svg is "/nonexistent/chart.svg": the file cannot be written (no such file or folder); - is standard output\n',
    ]);
  });

  test("a reader that closes the pipe early is not a failure", async () => {
    expect((await type("history", { readerGone: true })).code).toBe(0);
  });
});
