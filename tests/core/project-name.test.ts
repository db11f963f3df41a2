/** Contract 3: any string is a project, compared by its bytes. */
import { describe, expect, it } from "vitest";
import { byCodePoint, snapshotOf } from "../../src/core/snapshot.ts";
import { history, journal, REBASE, record, replay, series } from "./build.ts";

describe("a project's name", () => {
  const names = [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "🦉",
    "\uffee",
    "\u001b[2J",
    "a|b",
    "global",
    "project:a",
    "é",
    "e\u0301",
    " ",
    '"',
    "x".repeat(512),
    "🦉".repeat(512),
  ];
  const merges = history([...names, ...names].map((project) => ({ project })));
  const { analyzer, rows } = record(merges, [{ ...REBASE, window: 2 }]);

  it.each(names.map((name) => [name.slice(0, 20), name]))(
    "%j is counted for itself and written as it is",
    (_, name) => {
      const own = series(rows, "rebase_conflict_rate", "project", name);
      expect(own.map(({ seq, n, value }) => [seq, n, value])).toEqual([
        [1, 1, null],
        [2, 2, 0],
      ]);
      expect(own.map((row) => row.merge.project)).toEqual([name, name]);
    },
  );

  it("survives the journal, and every project is in the snapshot once, in the order of code points", () => {
    const raws = journal(rows);
    const again = replay(raws, [{ ...REBASE, window: 2 }]).analyzer;
    const surroundings = { generatedAt: "", running: 1, lag: { merges: 0, seconds: null } };
    const snapshot = JSON.parse(JSON.stringify(snapshotOf(again, surroundings))) as {
      metrics: { project: string | null }[];
    };
    expect(snapshot).toEqual(JSON.parse(JSON.stringify(snapshotOf(analyzer, surroundings))));
    const listed = snapshot.metrics.slice(1).map((metric) => metric.project ?? "");
    expect(listed).toEqual(names.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y))));
  });

  it("is ordered by code points, not by UTF-16 units", () => {
    expect(["\u{1f989}", "\uffee", "ab", "a", "b"].toSorted(byCodePoint)).toEqual([
      "a",
      "ab",
      "b",
      "\uffee",
      "\u{1f989}",
    ]);
  });
});
