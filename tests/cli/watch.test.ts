import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { main } from "../../src/cli/program.ts";
import type { Work } from "../../src/cli/verb.ts";
import type { History } from "../../src/core/history.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { Failed } from "../../src/failed.ts";
import { points } from "../core/points.ts";
import { DATABASE, fakeTerminal, NOTHING } from "./fake-terminal.ts";
import { GLOBAL, snapshotWith, youngProject } from "./snapshot-example.ts";

const UNAVAILABLE = new Failed(3, "the database cannot be reached\nreally \x1b[2J");

const HISTORY: History = {
  schema_version: 1,
  as_of: snapshotWith().as_of,
  series: [
    {
      metric: "first_pass_merge_rate",
      scope: "global",
      project: null,
      source: "recorded",
      gate: null,
      points: points(null, 0.8, 0.84, 0.88),
    },
  ],
};

/** Watches through so many looks; each gives a snapshot or fails. Then it is interrupted. */
async function watch(
  args: string,
  looks: readonly (Snapshot | Error)[],
  setting: Parameters<typeof fakeTerminal>[0] = {},
) {
  const interruption = new AbortController();
  const { terminal, written } = fakeTerminal({ ...setting, interruption: interruption.signal });
  let count = 0;
  const listeners: number[] = [];
  const readSnapshot: Work["readSnapshot"] = async () => {
    const seen = looks[count];
    listeners.push(getEventListeners(interruption.signal, "abort").length);
    count += 1;
    if (seen === undefined) {
      interruption.abort();
      return new Promise(() => undefined);
    }
    if (seen instanceof Error) throw seen;
    return seen;
  };
  const code = await main("metrics", ["snapshot", ...args.split(" ")], terminal, {
    ...NOTHING,
    readSnapshot,
    readHistory: async () => HISTORY,
  });
  return { code, ...written, count, listeners };
}

const PLAIN = { ...DATABASE, NO_COLOR: "1" };

/** The lines of the screen after the last look. */
async function screenOf(looks: readonly Snapshot[], size: { columns: number; rows: number }) {
  const { out } = await watch("--watch=100ms", looks, { ...size, env: PLAIN });
  const drawn = out.slice(out.lastIndexOf("\x1b[H") + 3, out.indexOf("\x1b[J\x1b[?25h"));
  return drawn.split("\x1b[K\r\n").slice(0, -1);
}

/** A conflict rate, and so many merges of a project. */
function having(value: number, n: number): Snapshot {
  return snapshotWith({
    metrics: [
      ...GLOBAL.map((one) => (one.metric === "rebase_conflict_rate" ? { ...one, value } : one)),
      ...youngProject("atlas", n),
      ...youngProject("borealis"),
    ],
  });
}

/** The marked lines of the last look. */
async function marksOf(...looks: Snapshot[]): Promise<string[]> {
  const [, ...lines] = await screenOf(looks, { columns: 80, rows: 24 });
  return lines.filter((line) => line.includes("*"));
}

const at = (seq: number) => snapshotWith({ as_of: { ...snapshotWith().as_of, seq } });

describe("snapshot --watch", () => {
  test("appends each look where it is piped, and ends with 0 when interrupted", async () => {
    const { code, out, err } = await watch("--watch=100ms", [at(1), at(2)]);
    expect(code).toBe(0);
    expect(out.match(/^first_pass_merge_rate/gm)).toHaveLength(2);
    expect(err.match(/^as of merge \d/gm)).toStrictEqual(["as of merge 1", "as of merge 2"]);
  });

  test("leaks no listener with a look", async () => {
    const { listeners } = await watch("--watch=100ms", [at(1), at(2), at(3)]);
    expect(listeners).toStrictEqual([0, 0, 0, 0]);
  });

  test("with -o jsonl appends a document in each line", async () => {
    const { out, err } = await watch("--watch=100ms -o jsonl", [at(1), at(2)]);
    const seqs = out
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as Snapshot).as_of.seq);
    expect([seqs, err]).toStrictEqual([[1, 2], ""]);
  });

  test("with --json appends a document in each line, also on a terminal", async () => {
    const { out } = await watch("--watch=100ms --json", [at(1), at(2)], { columns: 80, rows: 24 });
    const seqs = out
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as Snapshot).as_of.seq);
    expect(seqs).toStrictEqual([1, 2]);
  });

  test("draws over the screen in one write, without clearing it, and leaves it as it was", async () => {
    const { out } = await watch("--watch=100ms", [at(1), at(2)], { columns: 80, rows: 24, env: PLAIN });
    const visible = out.replaceAll("\x1b", "ESC");
    expect(visible).toMatch(/^ESC\[\?1049hESC\[\?25lESC\[2JESC\[H2026-11-22 10:06:41Z · every 100 ms/);
    expect(visible.split("ESC[2J")).toHaveLength(2);
    expect(visible).toMatch(/ESC\[K\r\nESC\[JESC\[H[^]*merge 2 /);
    expect(visible).toMatch(/ESC\[\?25hESC\[\?1049lfirst_pass[^]*as of merge 2 [^]*$/);
  });

  test("keeps the global lines on top, and reports how many rows do not fit", async () => {
    const names = Array.from({ length: 300 }, (_, index) => `p${index}`);
    const many = snapshotWith({ metrics: [...GLOBAL, ...names.flatMap((name) => youngProject(name))] });
    const screen = await screenOf([many], { columns: 82, rows: 12 });
    expect(screen).toStrictEqual([
      "2026-11-22 10:06:41Z · every 100 ms · * changed since the last look · q leaves",
      expect.stringMatching(/^first_pass_merge_rate = 88\.0% .*trust HIGH /),
      expect.stringMatching(/^rebase_conflict_rate = .*scope_overlap LOW /),
      expect.stringMatching(/^p95/),
      expect.stringMatching(/^as of merge 1873 .* daemon running$/),
      "lag 0 · skipped 0",
      "",
      expect.stringMatching(/^PROJECT /),
      expect.stringMatching(/^p0 /),
      expect.stringMatching(/^p1 /),
      "… 298 more rows do not fit",
    ]);
    for (const [columns, rows] of [
      [60, 8],
      [40, 12],
      [200, 6],
    ] as const) {
      const small = await screenOf([many], { columns, rows });
      expect(small.slice(0, 2)).toStrictEqual([
        expect.stringContaining("q leaves"),
        expect.stringMatching(/^first_pass_merge_rate = 88\.0% .*trust HIGH/),
      ]);
      expect(small.at(-1)).toMatch(/^… \d+ more rows/);
      const heights = small.map((line) => Math.max(1, Math.ceil(line.length / columns)));
      expect(heights.reduce((a, b) => a + b)).toBeLessThan(rows);
    }
  });

  test("shows how each metric moved lately, where the terminal is tall enough", async () => {
    const [, rate, trend, conflicts] = await screenOf([at(1)], { columns: 80, rows: 24 });
    expect([rate, trend, conflicts]).toStrictEqual([
      expect.stringMatching(/^first_pass_merge_rate /),
      "   ▁▄█ 80.0% to 88.0% in the last 4 merges",
      expect.stringMatching(/^rebase_conflict_rate /),
    ]);
    expect((await screenOf([at(1)], { columns: 80, rows: 12 })).join()).not.toContain("▄█");
  });

  test("marks what changed since the last look, and only that", async () => {
    expect(await marksOf(having(0.07, 23))).toStrictEqual([]);
    expect(await marksOf(having(0.07, 23), having(0.08, 24))).toStrictEqual([
      "rebase_conflict_rate = 8.0% (n=100/100) *  scope_overlap LOW   up>=10% down<5%",
      "atlas *       – 24/50      – 24/100     –     LOW  (global 7.0%)",
    ]);
    expect(await marksOf(having(0.07, 23), having(0.08, 24), having(0.08, 24))).toStrictEqual([]);
  });

  test("survives an outage of the database, and reports its begin and end once", async () => {
    const { code, out, err } = await watch("--watch=100ms", [at(1), UNAVAILABLE, UNAVAILABLE, at(2)]);
    expect(code).toBe(0);
    expect(out.match(/^first_pass/gm)).toHaveLength(2);
    expect(err.split("\n")).toStrictEqual([
      expect.stringMatching(/^as of merge 1 /),
      expect.stringMatching(/^since 20.*: the database cannot be reached; really \\x1b\[2J$/),
      "the database is available again",
      expect.stringMatching(/^as of merge 2 /),
      "",
    ]);
  });

  test("keeps the last values on the screen meanwhile", async () => {
    const { out } = await watch("--watch=100ms", [at(7), UNAVAILABLE], { columns: 80, rows: 24 });
    const drawn = out.slice(out.lastIndexOf("\x1b[H"), out.indexOf("\x1b[?25h"));
    expect(drawn).toContain("as of merge 7 ");
    expect(drawn).toContain("the database cannot be reached");
  });

  test("ends when what is wrong will not pass", async () => {
    const { code, err } = await watch("--watch", [new Error("a mistake of ours")]);
    expect([code, err]).toStrictEqual([1, "metrics: unexpected failure: a mistake of ours\n"]);
  });

  test("ends quietly when its reader has gone", async () => {
    expect((await watch("--watch", [at(1)], { readerGone: true })).code).toBe(0);
  });

  test.each([["--watch=1ms"], ["--watch=x"], ["--watch --require-defined"], ["--watch --at 5"], ["--at x"]])(
    "%s is a usage error",
    async (args) => {
      expect(await watch(args, [])).toMatchObject({ code: 2, out: "", count: 0 });
    },
  );
});
