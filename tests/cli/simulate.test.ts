import { describe, expect, test } from "vitest";
import { otherSettings } from "../../src/cli/other-settings.ts";
import { main } from "../../src/cli/program.ts";
import type { Simulated, SimulateOptions } from "../../src/cli/read-simulation.ts";
import type { Outcome } from "../../src/core/simulation.ts";
import { CONTRACT, FIRST_PASS } from "../core/build.ts";
import { point, points, ROSE } from "../core/points.ts";
import { fakeTerminal, NOTHING } from "./fake-terminal.ts";
import { readExample } from "./snapshot-example.ts";

const UNCHANGED = { window: [], upper: [], lower: [] };

function outcome(some: Partial<Outcome> = {}): Outcome {
  return {
    window: 50,
    gate: FIRST_PASS.gate,
    value: 0.88,
    state: "high",
    merges: { high: 70, low: 10, unknown: 20 },
    seconds: { high: 7200, low: 60, unknown: 300_000 },
    crossings: { up: 2, down: 1 },
    agreement: { compared: 80, equal: 80 },
    ...some,
  };
}

const SERIES = {
  metric: "first_pass_merge_rate",
  scope: "global",
  project: null,
  source: "computed",
  gate: FIRST_PASS.gate,
  points: [...points(0.6, 0.7), point(3, 0.86, { crossing: ROSE, state: "high" })],
} as const;

const SIMULATED: Simulated = {
  document: {
    schema_version: 1,
    as_of: { seq: 100, event_id: "1700", merged_at: null, generated_at: "2026-11-22T12:00:00.000Z" },
    history_truncated: false,
    lines: [
      {
        metric: "first_pass_merge_rate",
        scope: "global",
        project: null,
        today: outcome(),
        simulated: outcome({ window: 30, agreement: { compared: 80, equal: 60 }, state: "low", value: 0.5 }),
      },
      {
        metric: "rebase_conflict_rate",
        scope: "project",
        project: null,
        today: outcome(),
        simulated: outcome(),
      },
    ],
    crossings: [],
  },
  plots: [[SERIES, SERIES]],
};

async function type(args: string, setting: Parameters<typeof fakeTerminal>[0] = {}) {
  const { terminal, written } = fakeTerminal(setting);
  const asked: SimulateOptions[] = [];
  const readSimulation = async (_: unknown, options: SimulateOptions) => {
    asked.push(options);
    return SIMULATED;
  };
  const code = await main("metrics", args.split(" "), terminal, {
    ...NOTHING,
    readSimulation,
    readSnapshot: readExample,
  });
  return { code, ...written, asked };
}

describe("other settings", () => {
  test("are today's with what is named changed, by metric, its beginning or its gate", () => {
    const changed = otherSettings(CONTRACT, {
      window: ["first=30", "p95_attempts_to_merge=20"],
      upper: ["trust=0.9", "scope_overlap=12.5%"],
      lower: ["first_pass_merge_rate=60%"],
      verdicts: "rebase_conflict, needs_rebase",
    });
    expect(
      changed.map(({ window, gate, verdicts }) => [window, gate?.upper, gate?.lower, verdicts]),
    ).toStrictEqual([
      [30, 0.9, 0.6, null],
      [100, 0.125, 0.05, ["rebase_conflict", "needs_rebase"]],
      [20, undefined, undefined, null],
    ]);
    expect(otherSettings(CONTRACT, UNCHANGED)).toStrictEqual([...CONTRACT]);
  });

  test.each([
    [{ window: ["first"] }, "must be a metric or gate and a value, such as first_pass_merge_rate=30"],
    [{ window: ["second=3"] }, "unknown metric 'second'; known are first_pass_merge_rate (trust)"],
    [{ window: ["scope_overlp=3"] }, "unknown metric 'scope_overlp'; did you mean scope_overlap?"],
    [{ window: ["first=0"] }, "whole number of merges from 1 to 100000"],
    [{ upper: ["trust=1.5"] }, "number from 0 to 1, or a percentage"],
    [{ upper: ["trust=0.5"] }, "lower is 0.7, above upper 0.5"],
    [{ verdicts: "" }, "must be verdicts separated by commas"],
    [{ verdicts: "rebase_conflict, ,needs_rebase" }, "must be verdicts separated by commas"],
    [{ lower: ["p95=1"] }, '"p95_attempts_to_merge": it has no gate; there are trust, scope_overlap'],
  ])("%j is refused", (changes, why) => {
    expect(() => otherSettings(CONTRACT, { ...UNCHANGED, ...changes })).toThrow(why);
  });
});

describe("metrics simulate", () => {
  test("compares what each gate did and would have done", async () => {
    const { out } = await type("simulate --window first=30 --no-plot");
    expect(out).toBe(
      [
        "first_pass_merge_rate",
        "                today                      simulated",
        "  window        50                         30",
        "  bounds        up >= 85%, down < 70%      up >= 85%, down < 70%",
        "  now           88.0% HIGH                 50.0% LOW",
        "  crossings     3 (2 up, 1 down)           3 (2 up, 1 down)",
        "  high          70 merges (70.0%), 2 h     70 merges (70.0%), 2 h",
        "  low           10 merges (10.0%), 60 s    10 merges (10.0%), 60 s",
        "  unknown       20 merges (20.0%), 3 d     20 merges (20.0%), 3 d",
        "  as recorded   80 of 80 states (100.0%)   60 of 80 states (75.0%)",
        "",
        "rebase_conflict_rate: the same settings, not shown",
        "history of 100 merges, up to event 1700",
        "",
      ].join("\n"),
    );
  });

  test("plots both, below each other or, if there is room, side by side", async () => {
    const narrow = await type("simulate --window first=30 --ascii");
    expect(narrow.out).toMatch(/\n {2}today\n[^]*\n {2}simulated\n/);
    const wide = await type("simulate --window first=30 --ascii --no-color", { columns: 160 });
    expect(wide.out).toMatch(/\n {2}today {20,}simulated\n/);
    for (const line of wide.out.split("\n")) expect(line.length).toBeLessThanOrEqual(160);
  });

  test("hands the changed settings over", async () => {
    const { asked } = await type("simulate --upper trust=0.9 --project atlas --last 10");
    expect(asked).toMatchObject([
      { projects: ["atlas"], last: 10, metrics: [{ gate: { upper: 0.9, lower: 0.7 } }, {}, {}] },
    ]);
  });

  test("reports a project without merges on standard error; --strict fails", async () => {
    const { code, err } = await type("simulate --window trust=30 --project atlas --project nowhere --strict");
    expect([code, err]).toStrictEqual([1, "project nowhere: no merges recorded\n"]);
  });

  test("--json is nothing but the document", async () => {
    const { out, err } = await type("simulate --window first=30 --json");
    expect(JSON.parse(out)).toStrictEqual(JSON.parse(JSON.stringify(SIMULATED.document)));
    expect(err).toBe("");
  });

  test.each([
    ["simulate", "nothing to simulate"],
    ["simulate --upper trust=2", "number from 0 to 1"],
    ["simulate --config /nowhere.json", "cannot be read"],
  ])("%s exits with 2 and contacts nothing", async (args, why) => {
    const { code, err, asked } = await type(args);
    expect([code, asked]).toStrictEqual([2, []]);
    expect(err).toContain(why);
  });

  test("a reader that closes the pipe early is not a failure", async () => {
    expect((await type("simulate --window first=30", { readerGone: true })).code).toBe(0);
  });
});
