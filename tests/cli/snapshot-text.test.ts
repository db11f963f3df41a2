import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { renderSnapshot, type SnapshotView } from "../../src/cli/snapshot-text.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { GLOBAL, metricOf, OVERLAP, snapshotWith, TRUST, youngProject } from "./snapshot-example.ts";

const HOSTILE = "x\x1b]0;pwned\x07\x1b[2J\r\nfirst_pass_merge_rate = 1.00\u202e";

const render = (snapshot: Snapshot, view: Partial<SnapshotView> = {}) =>
  renderSnapshot(snapshot, { projects: [], all: false, columns: 0, colour: false, ...view });
const linesOf = (snapshot: Snapshot, view: Partial<SnapshotView> = {}) =>
  render(snapshot, view).body.split("\n");
const firstLine = (columns: number) => linesOf(snapshotWith(), { columns })[0];
const footerOf = (some: Partial<Snapshot>) => render(snapshotWith(some)).footer;

/** The global line of a gated rate of this value. */
function rateLine(value: number): string | undefined {
  const rate = metricOf("first_pass_merge_rate", null, { value, numerator: 1, n: 9, window: 9, gate: TRUST });
  return linesOf(snapshotWith({ metrics: [rate] }))[0];
}

describe("the body", () => {
  test("without room has the readings alone: the global ones first, unindented", () => {
    expect(render(snapshotWith()).body).toBe(`\
first_pass_merge_rate = 88.0% (n=50/50)
rebase_conflict_rate = 7.0% (n=100/100)
p95_attempts_to_merge = 3 (n=100/100)

project atlas
  first_pass_merge_rate = undefined (n=23/50)
  rebase_conflict_rate = undefined (n=23/100)
  p95_attempts_to_merge = undefined (n=23/100)
`);
  });

  test("with room has counts, gates, since when, and bounds", () => {
    expect(render(snapshotWith(), { columns: 130 }).body).toBe(`\
first_pass_merge_rate = 88.0% (n=50/50)      44 of 50    trust          HIGH  since 2026-11-20 14:02Z   up >= 85%  down < 70%
rebase_conflict_rate = 7.0% (n=100/100)       7 of 100   scope_overlap  LOW   since 2026-11-18 09:40Z   up >= 10%  down < 5%
p95_attempts_to_merge = 3 (n=100/100)

project atlas
  first_pass_merge_rate = undefined (n=23/50)       27 more merges needed
  rebase_conflict_rate = undefined (n=23/100)       policy uses global 7.0% LOW
  p95_attempts_to_merge = undefined (n=23/100)
`);
  });

  test("leaves out the bounds, then since when, then all of it, before a line would wrap", () => {
    expect(firstLine(119)).toMatch(/HIGH {2}since 2026-11-20 14:02Z$/);
    expect(firstLine(90)).toMatch(/trust {10}HIGH$/);
    expect(firstLine(40)).toBe("first_pass_merge_rate = 88.0% (n=50/50)");
    for (let columns = 40; columns <= 160; columns += 1) {
      for (const line of linesOf(snapshotWith(), { columns }).slice(0, 3))
        expect(line.length).toBeLessThanOrEqual(columns);
    }
  });

  test("of twenty thousand projects takes a moment, not minutes", () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `project-${index}`);
    const metrics = [...GLOBAL, ...names.flatMap((name) => youngProject(name))];
    expect(linesOf(snapshotWith({ metrics }), { all: true })).toHaveLength(4 + 5 * names.length);
  });

  test("before the windows are full says so, and how many merges are missing", () => {
    const metrics = [
      metricOf("first_pass_merge_rate", null, {
        value: null,
        numerator: 0,
        n: 49,
        window: 50,
        gate: { ...TRUST, state: "unknown", since: null },
      }),
      metricOf("p95_attempts_to_merge", null, { value: null, numerator: null, n: 0, window: 100 }),
    ];
    expect(render(snapshotWith({ metrics }), { columns: 200 }).body).toBe(`\
first_pass_merge_rate = undefined (n=49/50)      1 more merge needed   trust  UNKNOWN     up >= 85%  down < 70%
p95_attempts_to_merge = undefined (n=0/100)
`);
  });

  test("a project's own reading once its window is full; a policy without any reading is undefined", () => {
    const own = metricOf("rebase_conflict_rate", "atlas", {
      value: 0.12,
      numerator: 12,
      n: 100,
      window: 100,
      gate: { ...OVERLAP, state: "high" },
      effective: { scope: "project", value: 0.12, state: "high" },
    });
    const none = metricOf("rebase_conflict_rate", "borealis", {
      value: null,
      numerator: 1,
      n: 5,
      window: 100,
      gate: { ...OVERLAP, state: "unknown", since: null },
      effective: { scope: null, value: null, state: "unknown" },
    });
    expect(linesOf(snapshotWith({ metrics: [own, none] }), { columns: 200 }).slice(1)).toStrictEqual([
      "project atlas",
      "  rebase_conflict_rate = 12.0% (n=100/100)      12 of 100   scope_overlap  HIGH  since 2026-11-18 09:40Z   up >= 10%  down < 5%",
      "",
      "project borealis",
      "  rebase_conflict_rate = undefined (n=5/100)      policy undefined, as the global one is",
      "",
    ]);
  });

  test("a percentage never reads as if it had reached a bound that it has not", () => {
    expect(rateLine(849 / 999)).toContain("= 84.98% (");
    expect(rateLine(0.85)).toContain("= 85.0% (");
    expect(rateLine(2 / 3)).toContain("= 66.7% (");
    expect(rateLine(1)).toContain("= 100.0% (");
    expect(rateLine(0)).toContain("= 0.0% (");
  });

  test("a hostile project name cannot forge a line", () => {
    const lines = linesOf(snapshotWith({ metrics: [...GLOBAL, ...youngProject(HOSTILE)] }));
    expect(lines.filter((line) => line.startsWith("first_pass_merge_rate"))).toHaveLength(1);
    expect(lines[4]).toBe("project x\\x1b]0;pwned\\x07\\x1b[2J\\x0d\\x0afirst_pass_merge_rate = 1.00\\u202e");
  });

  test("colours repeat what the words say: green permits, red restricts", () => {
    const plain = render(snapshotWith(), { columns: 130 }).body;
    const coloured = render(snapshotWith(), { columns: 130, colour: true }).body;
    expect(stripVTControlCharacters(coloured)).toBe(plain);
    expect(coloured).toContain("\x1b[32mHIGH\x1b[39m");
    expect(coloured).toContain("\x1b[32mLOW\x1b[39m");
  });
});

describe("the projects", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  const many = snapshotWith({
    metrics: [
      ...GLOBAL,
      ...names.flatMap((name, index) => youngProject(name, index === 0 ? 3 : 9 + (index % 3))),
    ],
  });
  const shown = (view: Partial<SnapshotView>) =>
    linesOf(many, view).flatMap((line) => (line.startsWith("project ") ? [line.slice(8)] : []));

  test("are the five busiest, in the order of their names, unless all are asked for", () => {
    expect(shown({})).toStrictEqual(["b", "c", "d", "e", "f"]);
    expect(render(many).footer).toContain(" · 7 projects, 2 not shown (--all)\n");
    expect(shown({ all: true })).toStrictEqual(names);
    expect(render(many, { all: true }).footer).toContain(" · 7 projects\n");
  });

  test("are those that are named, known or not", () => {
    expect(shown({ projects: ["g", "nobody", "g"] })).toStrictEqual(["g", "nobody"]);
    expect(linesOf(many, { projects: ["nobody"] }).slice(4)).toStrictEqual([
      "project nobody",
      "  no merges recorded; policies use the global readings",
      "",
    ]);
    expect(render(many, { projects: ["g"] }).footer).toContain("7 projects, 6 not shown");
  });
});

describe("the footer", () => {
  test("says as of which merge, and how things stand", () => {
    expect(footerOf({})).toBe(
      "as of merge 1873 (event 48213, 2026-11-22 10:06:27Z, 14 s ago) · daemon running · lag 0 · skipped 0 · 1 project\n",
    );
  });

  test("says what is not as it should be", () => {
    expect(
      footerOf({
        daemon: { running: 0 },
        lag: { merges: 3, seconds: 130.4 },
        skipped: { total: 2 },
        history_truncated: true,
        metrics: GLOBAL,
      }),
    ).toBe(
      "as of merge 1873 (event 48213, 2026-11-22 10:06:27Z, 14 s ago) · daemon not running · lag 3 merges, oldest 2 min · " +
        "skipped 2 · 0 projects · history truncated: windows count up again\n",
    );
    expect(footerOf({ daemon: { running: 2 } })).toContain(" · 2 daemons running · ");
  });

  test("knows of logs without merges, and of merges without a date", () => {
    const generated_at = "2026-11-22T10:06:41.500Z";
    expect(footerOf({ as_of: { seq: 0, event_id: null, merged_at: null, generated_at } })).toMatch(
      /^no merge recorded yet · daemon running/,
    );
    expect(footerOf({ as_of: { seq: 5, event_id: "9", merged_at: null, generated_at } })).toMatch(
      /^as of merge 5 \(event 9\) /,
    );
  });
});
