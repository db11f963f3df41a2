import { describe, expect, test } from "vitest";
import { renderExplanations } from "../../src/cli/explain-text.ts";
import { main } from "../../src/cli/program.ts";
import type { ExplainOptions } from "../../src/cli/read-explanation.ts";
import { type Explanation, type Explanations, explain } from "../../src/core/explanation.ts";
import { snapshotOf } from "../../src/core/snapshot.ts";
import { CLEAN, CONFLICT, history, REWORKED, record, SMALL, times } from "../core/build.ts";
import { fakeTerminal, NOTHING } from "./fake-terminal.ts";
import { readExample } from "./snapshot-example.ts";

const MERGES = history([...times(3, CLEAN), ...times(2, CONFLICT), REWORKED, CLEAN]);
const { analyzer } = record(MERGES, SMALL);
const SNAPSHOT_OF = {
  generatedAt: "2026-11-22T12:00:00.000Z",
  running: 1,
  lag: { merges: 0, seconds: null },
};
const SNAPSHOT = snapshotOf(analyzer, SNAPSHOT_OF);
/** A band in which a half lies. */
const BAND = SMALL.map((metric) =>
  metric.name === "rebase_conflict_rate" && metric.gate !== null
    ? { ...metric, gate: { ...metric.gate, upper: 0.75, lower: 0.5 } }
    : metric,
);
const RECORDED = MERGES.map((merge, index) => ({ seq: index + 1, merge })).toReversed();

function explanation(metric: string, recorded = RECORDED): Explanation {
  const reading = SNAPSHOT.metrics.find((one) => one.metric === metric && one.project === null);
  if (reading === undefined) throw new Error(metric);
  return explain(analyzer, reading, recorded);
}

const DOCUMENT: Explanations = {
  schema_version: 1,
  as_of: SNAPSHOT.as_of,
  lag: SNAPSHOT.lag,
  explanations: ["first_pass_merge_rate", "rebase_conflict_rate", "p95_attempts_to_merge"].map((metric) =>
    explanation(metric),
  ),
};

const VIEW = { columns: 80, ascii: true, colour: false, listColumns: null, listed: 100 };

async function type(args: string, document = DOCUMENT, setting: Parameters<typeof fakeTerminal>[0] = {}) {
  const { terminal, written } = fakeTerminal(setting);
  const asked: ExplainOptions[] = [];
  const readExplanations = async (_: unknown, options: ExplainOptions) => {
    asked.push(options);
    return document;
  };
  const code = await main("metrics", args.split(" "), terminal, {
    ...NOTHING,
    readExplanations,
    readSnapshot: readExample,
  });
  return { code, ...written, asked };
}

describe("an explanation", () => {
  test("shows the merges of the window, which leaves next, and what could move the gate", () => {
    expect(explanation("rebase_conflict_rate")).toMatchObject({
      value: 0.5,
      numerator: 2,
      merges: [4, 5, 6, 7].map((seq) => ({ seq, event_id: MERGES[seq - 1]?.eventId, counted: seq < 6 })),
      leaves_next: { seq: 4, counted: true },
      next: { if_counted: 0.5, if_not: 0.25 },
      moves: [{ to: "low", bound: 0.25, reach: { merges: 2, of_kind: 2 } }],
    });
  });

  test("knows the facts also where their rows are gone", () => {
    const { merges } = explanation("first_pass_merge_rate", RECORDED.slice(0, 1));
    expect(merges.map(({ seq, attempts, counted }) => [seq, attempts, counted])).toStrictEqual([
      [null, 1, true],
      [null, 2, false],
      [7, 1, true],
    ]);
  });

  test("of a young project: it may take over the global state before it reaches a bound", () => {
    const calm = times(8, CLEAN);
    const zeus = { project: "zeus" };
    const story = history([...calm, { ...CONFLICT, ...zeus }, zeus, { ...CONFLICT, ...zeus }, ...calm]);
    const upTo = (merges: typeof story) => {
      const memory = record(merges, BAND).analyzer;
      const { metrics } = snapshotOf(memory, SNAPSHOT_OF);
      const reading = metrics.find((one) => one.project === "zeus" && one.gate !== null);
      if (reading === undefined) throw new Error("no reading");
      return explain(memory, reading, []);
    };
    const young = upTo(story);
    expect(young.moves).toMatchObject([{ to: "high" }, { to: "low", reach: { merges: 2 } }]);
    // One merge later, between the bounds.
    expect(upTo([...story, ...history([zeus])]).gate?.state).toBe("low");
    expect(renderExplanations([young], VIEW)).toContain(
      "  if its window fills between the bounds, it takes over the global state\n",
    );
    expect(renderExplanations(DOCUMENT.explanations, VIEW)).not.toContain("takes over");
  });

  test("in words", () => {
    expect(renderExplanations(DOCUMENT.explanations, VIEW)).toBe(
      [
        "first_pass_merge_rate = 66.7% (n=3/3)",
        "  2 of 3 merges at the first pass (attempts = 1)",
        "  gate trust: HIGH since 2026-11-22 10:03Z, permissive; up >= 60%, down < 40%",
        "  window, oldest first (# counts, . does not):",
        "    #.#",
        "  leaves next: merge 5 (event 1035, work item 5, atlas, 1 attempt, rebase_conflict): counts",
        "  after the next merge: 66.7% if it counts, 33.3% if not",
        "  LOW (< 40%) takes at least 1 more merge, with more than one attempt",
        "",
        "rebase_conflict_rate = 50.0% (n=4/4)",
        "  2 of 4 merges with a rebase conflict",
        "  gate scope_overlap: HIGH since 2026-11-22 10:05Z; up >= 50%, down < 25%",
        "  window, oldest first (# counts, . does not):",
        "    ##..",
        "  leaves next: merge 4 (event 1028, work item 4, atlas, 1 attempt, rebase_conflict): counts",
        "  after the next merge: 50.0% if it counts, 25.0% if not",
        "  LOW (< 25%) takes at least 2 more merges, all without a rebase conflict",
        "",
        "p95_attempts_to_merge = 2 (n=5/5)",
        "  merges by attempts: 1: 4, 2: 1",
        "  at least 95% of the merges took 2 attempts or fewer; 0 of 5 took more",
        "  window, oldest first (attempts of each):",
        "    11121",
        "  leaves next: merge 3 (event 1021, work item 3, atlas, 1 attempt, approve)",
        "",
      ].join("\n"),
    );
  });

  test("lists the merges where one metric is asked for, and no name can forge a line", () => {
    const [first] = explanation("first_pass_merge_rate").merges;
    const forged: Explanation = {
      ...explanation("first_pass_merge_rate"),
      merges: first === undefined ? [] : [{ ...first, project: "a\n\x1b[2Jb", work_item_id: "x\u202e" }],
    };
    const text = renderExplanations([forged], { ...VIEW, listColumns: 120 });
    expect(text).toContain(
      "\n  merge  merged at          event  work item  project        attempts  verdict          counts\n",
    );
    expect(text).toContain("  x\\u202e    a\\x0a\\x1b[2Jb  1 ");
  });
});

/** The list below the explanation of a metric, line by line. */
function listed(listColumns: number, project = "atlas"): string[] {
  const one = explanation("first_pass_merge_rate");
  const merges = one.merges.map((merge) => ({ ...merge, project }));
  const text = renderExplanations([{ ...one, merges }], { ...VIEW, listColumns });
  return text.slice(text.indexOf("\n\n") + 2).split("\n");
}

describe("the list of merges", () => {
  test.each([
    [100, "  merge  merged at          event  work item  project  attempts  verdict          counts"],
    [82, "  merge  merged at          work item  project  attempts  verdict          counts"],
    [80, "  merge  merged at          project  attempts  verdict          counts"],
    [60, "  merge  project  attempts  verdict          counts"],
  ])("shows the columns that fit into %i", (columns, heads) => {
    const lines = listed(columns);
    expect(lines[0]).toBe(heads);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
  });

  test("is aligned although a name has wide characters", () => {
    const [heads = "", first = ""] = listed(60, "項目管理");
    expect([heads, first]).toStrictEqual([
      "  merge  project   attempts  verdict          counts",
      "  5      項目管理  1         rebase_conflict  yes",
    ]);
  });
});

/** The first lines of the list that a command line prints. */
async function listedBy(args: string): Promise<string[] | undefined> {
  const { out } = await type(args);
  return out.split("\n\n")[1]?.split("\n").slice(0, 3);
}

describe("metrics explain", () => {
  test("asks for what is wanted, and lists merges for one metric alone", async () => {
    const { out, asked } = await type("explain first --project atlas");
    expect(asked).toMatchObject([
      { metric: "first_pass_merge_rate", projects: ["atlas"], timeoutMs: 10_000 },
    ]);
    expect(out).toContain("work item  project");
    expect((await type("explain")).out).not.toContain("work item  project");
  });

  test.each([
    ["trust", "first_pass_merge_rate"],
    ["scope", "rebase_conflict_rate"],
    ["p95", "p95_attempts_to_merge"],
  ] as const)("takes the name of a gate or of a metric, or its beginning: %s", async (name, metric) => {
    expect((await type(`explain ${name}`)).asked).toMatchObject([{ metric }]);
  });

  test("lists the newest merges, as many as --limit allows", async () => {
    expect(await listedBy("explain trust --limit 1")).toStrictEqual([
      "  2 older merges (--limit)",
      expect.stringMatching(/^ {2}merge /),
      expect.stringMatching(/^ {2}7 /),
    ]);
    expect(await listedBy("explain trust --limit 0")).toStrictEqual(["  3 older merges (--limit)"]);
  });

  test("--json is nothing but the document", async () => {
    const { out, err } = await type("explain --json");
    expect(JSON.parse(out)).toStrictEqual(JSON.parse(JSON.stringify(DOCUMENT)));
    expect(err).toBe("");
  });

  test("reports unknown projects on standard error; --strict fails", async () => {
    const empty = { ...DOCUMENT, explanations: [], lag: { merges: 1, seconds: 1 } };
    const due = "not in these numbers yet: 1 merge due\n";
    expect(await type("explain --project nothere\u202e", empty)).toMatchObject({
      code: 0,
      err: `project nothere\\u202e: no merges recorded\n${due}`,
    });
    expect(await type("explain --project atlass --strict", empty)).toMatchObject({
      code: 1,
      err: `project atlass: no merges recorded; did you mean atlas?\n${due}`,
    });
  });

  test.each([
    ["truts", "unknown metric 'truts'; did you mean trust?"],
    ["first_pass_merge", null],
    ["first_pas_merge_rate", "unknown metric 'first_pas_merge_rate'; did you mean first_pass_merge_rate?"],
    ["conflict", "unknown metric 'conflict'; did you mean rebase_conflict_rate?"],
    [
      "zz\u001b",
      "unknown metric 'zz\\x1b'; known are first_pass_merge_rate (trust), rebase_conflict_rate (scope_overlap), p95_attempts_to_merge",
    ],
  ])("%s: %s", async (name, why) => {
    const { code, err, asked } = await type(`explain ${name}`);
    expect([code, err]).toStrictEqual(why === null ? [0, ""] : [2, `metrics: ${why}\n`]);
    expect(asked).toHaveLength(why === null ? 1 : 0);
  });

  test("a reader that closes the pipe early is not a failure", async () => {
    expect((await type("explain", DOCUMENT, { readerGone: true })).code).toBe(0);
  });
});
