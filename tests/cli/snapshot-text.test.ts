import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { renderSnapshot, type SnapshotView } from "../../src/cli/snapshot-text.ts";
import type { Snapshot, SnapshotGate, SnapshotMetric } from "../../src/core/snapshot.ts";
import { textWidth } from "../../src/text/safe.ts";
import { GLOBAL, metricOf, OVERLAP, snapshotWith, TRUST, youngProject } from "./snapshot-example.ts";

const HOSTILE = "x\x1b]0;pwned\x07\x1b[2J\r\nfirst_pass_merge_rate = 1.00\u202e";

const render = (snapshot: Snapshot, view: Partial<SnapshotView> = {}) =>
  renderSnapshot(snapshot, {
    projects: [],
    limit: 10,
    columns: null,
    wide: false,
    colour: false,
    ...view,
  });
const linesOf = (snapshot: Snapshot, view: Partial<SnapshotView> = {}) =>
  render(snapshot, view).body.split("\n");
const footerOf = (some: Partial<Snapshot>) => render(snapshotWith(some)).footer;

/** A project with full windows. */
function grownProject(name: string): SnapshotMetric[] {
  const gate: SnapshotGate = { ...OVERLAP, state: "high" };
  const effective = { scope: "project", value: 0.11, state: "high" } as const;
  return [
    metricOf("first_pass_merge_rate", name, { value: 0.9, numerator: 45, n: 50, window: 50 }),
    metricOf("rebase_conflict_rate", name, {
      value: 0.11,
      numerator: 11,
      n: 100,
      window: 100,
      gate,
      effective,
    }),
    metricOf("p95_attempts_to_merge", name, { value: 3, numerator: null, n: 100, window: 100 }),
  ];
}

const TWO = snapshotWith({
  metrics: [...GLOBAL, ...grownProject("atlas"), ...youngProject("borealis", 39)],
});

/** The global line of a gated rate of this value. */
function rateLine(value: number): string | undefined {
  const rate = metricOf("first_pass_merge_rate", null, { value, numerator: 1, n: 9, window: 9, gate: TRUST });
  return linesOf(snapshotWith({ metrics: [rate] }))[0];
}

describe("the body", () => {
  test.each([null, 80])(
    "has the manual's form in %s columns: global lines first, then the projects",
    (columns) => {
      expect(render(TWO, { columns }).body).toBe(`\
first_pass_merge_rate = 88.0% (n=50/50)    trust HIGH          up>=85% down<70%
rebase_conflict_rate = 7.0% (n=100/100)    scope_overlap LOW   up>=10% down<5%
p95_attempts_to_merge = 3 (n=100/100)

PROJECT       FIRST PASS   CONFLICTS    P95   OVERLAP POLICY
atlas         90.0%        11.0%        3     HIGH (own)
borealis      – 39/50      – 39/100     –     LOW  (global 7.0%)
`);
    },
  );

  test.each([{ columns: 140 }, { columns: 40, wide: true }])(
    "with room has counts and dates (%j)",
    (view) => {
      expect(render(TWO, view).body).toBe(`\
first_pass_merge_rate = 88.0% (n=50/50)    44 of 50    trust HIGH          since 2026-11-20 14:02Z   up>=85% down<70%
rebase_conflict_rate = 7.0% (n=100/100)     7 of 100   scope_overlap LOW   since 2026-11-18 09:40Z   up>=10% down<5%
p95_attempts_to_merge = 3 (n=100/100)

PROJECT       FIRST PASS       CONFLICTS         P95        OVERLAP POLICY       SINCE
atlas         90.0% 45 of 50   11.0% 11 of 100   3          HIGH (own)           2026-11-18 09:40Z
borealis      – 39/50          – 39/100          – 39/100   LOW  (global 7.0%)
`);
    },
  );

  test("never cuts a gate or its state, and leaves out the rest before a line would wrap", () => {
    for (let columns = 20; columns <= 160; columns += 1) {
      const [trust = "", overlap = "", , , heading = "", atlas = "", borealis = ""] = linesOf(TWO, {
        columns,
      });
      expect([trust, overlap]).toStrictEqual([
        expect.stringMatching(/^first_pass_merge_rate = 88\.0% \(n=50\/50\) .*trust HIGH/),
        expect.stringMatching(/^rebase_conflict_rate = 7\.0% \(n=100\/100\) .*scope_overlap LOW/),
      ]);
      expect([heading, atlas, borealis]).toStrictEqual([
        expect.stringMatching(/^PROJECT .*OVERLAP POLICY/),
        expect.stringMatching(/^atlas .*HIGH \(own\)/),
        expect.stringMatching(/^borealis .*LOW {2}\(global 7\.0%\)/),
      ]);
      for (const line of columns < 60 ? [] : linesOf(TWO, { columns }))
        expect(line.length).toBeLessThanOrEqual(columns);
    }
  });

  test("keeps the bounds on 80 columns also where the restricted state is longer", () => {
    const metrics = GLOBAL.map((one) =>
      one.metric === "rebase_conflict_rate"
        ? { ...one, value: 0.13, numerator: 13, gate: { ...OVERLAP, state: "high" as const } }
        : one,
    );
    expect(linesOf(snapshotWith({ metrics }), { columns: 80 }).slice(0, 2)).toStrictEqual([
      "first_pass_merge_rate = 88.0% (n=50/50)    trust HIGH          up>=85% down<70%",
      "rebase_conflict_rate = 13.0% (n=100/100)   scope_overlap HIGH  up>=10% down<5%",
    ]);
  });

  test("of twenty thousand projects takes a moment, not minutes", () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `project-${index}`);
    const metrics = [...GLOBAL, ...names.flatMap((name) => youngProject(name))];
    const lines = linesOf(snapshotWith({ metrics }), { limit: Number.POSITIVE_INFINITY, columns: 60 });
    expect(lines).toHaveLength(6 + names.length);
  });

  test("before the windows are full shows how many merges are missing", () => {
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
first_pass_merge_rate = undefined (n=49/50)    1 more merge needed      trust UNKNOWN      up>=85% down<70%
p95_attempts_to_merge = undefined (n=0/100)    100 more merges needed
`);
  });

  test("a project in full: its own value and gate, or what its policy uses", () => {
    expect(linesOf(TWO, { projects: ["atlas", "borealis", "atlas"] }).slice(3)).toStrictEqual([
      "",
      "project atlas",
      "  first_pass_merge_rate = 90.0% (n=50/50)",
      "  rebase_conflict_rate = 11.0% (n=100/100)   scope_overlap HIGH   up>=10% down<5%",
      "  p95_attempts_to_merge = 3 (n=100/100)",
      "",
      "project borealis",
      "  first_pass_merge_rate = undefined (n=39/50)",
      "  rebase_conflict_rate = undefined (n=39/100)    policy uses global 7.0% LOW",
      "  p95_attempts_to_merge = undefined (n=39/100)",
      "",
    ]);
    expect(linesOf(TWO, { projects: ["atlas"], columns: 120 })[6]).toBe(
      "  rebase_conflict_rate = 11.0% (n=100/100)   11 of 100   scope_overlap HIGH   since 2026-11-18 09:40Z   up>=10% down<5%",
    );
  });

  test("a policy without any value is undefined", () => {
    const none = metricOf("rebase_conflict_rate", "borealis", {
      value: null,
      numerator: 1,
      n: 5,
      window: 100,
      gate: { ...OVERLAP, state: "unknown", since: null },
      effective: { scope: null, value: null, state: "unknown" },
    });
    const snapshot = snapshotWith({ metrics: [none] });
    expect(linesOf(snapshot).slice(1, 4)).toStrictEqual([
      "PROJECT       CONFLICTS    OVERLAP POLICY",
      "borealis      – 5/100      – (no value yet)",
      "",
    ]);
    expect(linesOf(snapshot, { projects: ["borealis"] }).at(-2)).toBe(
      "  rebase_conflict_rate = undefined (n=5/100)   policy undefined, as the global value is",
    );
  });

  test("a percentage never reads as if it had reached a bound that it has not", () => {
    expect(rateLine(849 / 999)).toContain("= 84.98% (");
    expect(rateLine(0.85)).toContain("= 85.0% (");
    expect(rateLine(2 / 3)).toContain("= 66.7% (");
    expect(rateLine(1)).toContain("= 100.0% (");
    expect(rateLine(0)).toContain("= 0.0% (");
  });

  test("a hostile project name can neither forge a line nor push the state out of sight", () => {
    const names = [HOSTILE, "項目管理".repeat(20), "x".repeat(500)];
    const snapshot = snapshotWith({ metrics: [...GLOBAL, ...names.flatMap((name) => youngProject(name))] });
    for (const columns of [null, 60, 80, 120]) {
      const lines = linesOf(snapshot, { columns });
      expect(lines.filter((line) => line.startsWith("first_pass_merge_rate"))).toHaveLength(1);
      const rows = lines.slice(5, 8);
      for (const row of rows) {
        expect(row).toMatch(/^(x\\x1b\]0|項目|xxx).*… .*LOW {2}\(global 7\.0%\)$/);
        expect(textWidth(row)).toBeLessThanOrEqual(columns ?? 100);
      }
      expect(new Set(rows.map((row) => textWidth(row.slice(0, row.indexOf("LOW"))))).size).toBe(1);
    }
    expect(linesOf(snapshot, { projects: [HOSTILE] })[4]).toBe(
      "project x\\x1b]0;pwned\\x07\\x1b[2J\\x0d\\x0afirst_pass_merge_rate = 1.00\\u202e",
    );
  });

  test("colours repeat what the words say: green permits, red restricts; what is undefined is dim", () => {
    const plain = render(TWO, { columns: 130 }).body;
    const coloured = render(TWO, { columns: 130, colour: true }).body;
    expect(stripVTControlCharacters(coloured)).toBe(plain);
    for (const painted of [
      "trust \x1b[32mHIGH\x1b[39m",
      "scope_overlap \x1b[32mLOW\x1b[39m",
      "\x1b[31mHIGH\x1b[39m (own)",
      "\x1b[2m– 39/50\x1b[22m",
      "\x1b[1mPROJECT ",
    ])
      expect(coloured).toContain(painted);
  });
});

describe("the projects", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  const many = snapshotWith({
    metrics: [...GLOBAL, ...names.flatMap((name) => youngProject(name))],
    projects: ["d", "g", "a", "b", "c", "e", "f"],
  });
  const shown = (view: Partial<SnapshotView>) =>
    linesOf(many, view)
      .slice(5, -1)
      .map((line) => line.split(" ")[0]);

  test("are those that merged last, the others counted", () => {
    expect(shown({ limit: 3 })).toStrictEqual(["d", "g", "a", "4"]);
    expect(linesOf(many, { limit: 3 }).at(-2)).toBe("4 more projects (--all)");
    expect(linesOf(many, { limit: 6 }).at(-2)).toBe("1 more project (--all)");
    expect(shown({})).toStrictEqual(many.projects);
  });

  test("that are named are shown in full, known or not", () => {
    expect(linesOf(many, { projects: ["nobody"] }).slice(3)).toStrictEqual([
      "",
      "project nobody",
      "  no merges recorded; policies use the global values",
      "",
    ]);
  });

  test("of an empty log have no table", () => {
    expect(linesOf(snapshotWith({ metrics: GLOBAL }))).toHaveLength(4);
  });
});

describe("the footer", () => {
  test("shows the newest merge, the daemon and the lag", () => {
    expect(footerOf({})).toBe(
      "as of merge 1873 (event 48213, 2026-11-22 10:06:27Z, 14 s ago) · daemon running · lag 0 · skipped 0\n",
    );
  });

  test("takes several lines on a narrow terminal", () => {
    expect(render(snapshotWith(), { columns: 80 }).footer).toBe(
      "as of merge 1873 (event 48213, 2026-11-22 10:06:27Z, 14 s ago) · daemon running\nlag 0 · skipped 0\n",
    );
  });

  test("shows lag, skipped and refused merges", () => {
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
        "skipped 2 · history truncated: windows count up again\n",
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
