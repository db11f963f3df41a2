/** A checkpoint is held against the rows before it: whatever it says that they do not give is told. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { type CheckpointPlace, checkpointRow } from "../../src/core/checkpoint.ts";
import type { Merge } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { skippedRow } from "../../src/core/metric-event.ts";
import { ScopeMemory } from "../../src/core/scope-memory.ts";
import { VerdictNumbers } from "../../src/core/verdict-numbers.ts";
import type { AuditRow } from "../../src/core/verifier.ts";
import { packEntry } from "../../src/core/window.ts";
import { merges as anyMerges, settings as anySettings } from "./arbitraries.ts";
import { checkpointAt, PRODUCER, SMALL } from "./build.ts";
import { EVENTFUL, indexOf, type Payload, ROWS, rowsOf, WRITTEN, walk } from "./walk.ts";

const scope = (payload: Payload, change: (global: Payload) => void): void =>
  change(payload["global"] as Payload);

/** Where a checkpoint behind these rows stands. */
function placeBehind(rows: readonly AuditRow[]): CheckpointPlace {
  return checkpointAt(rows.at(-1)?.id ?? "0");
}

/** What is told of the checkpoint behind these rows after this change. */
function proved(change: (payload: Payload) => void, rows: readonly AuditRow[] = ROWS) {
  const payload = JSON.parse(
    JSON.stringify(checkpointRow(WRITTEN.analyzer, placeBehind(rows), PRODUCER).payload),
  ) as Payload;
  change(payload);
  const { verifier, differences } = walk(rows);
  verifier.acceptCheckpoint("7", JSON.stringify(payload));
  return differences.first.map(({ recorded, expected }) => [recorded, expected]);
}

const newest = EVENTFUL.at(-1)?.eventId;

function prove(
  all: readonly Merge[],
  metrics: readonly MetricSettings[],
  change: (text: string) => string = (text) => text,
) {
  const analyzer = new Analyzer(metrics);
  const rows = rowsOf(all.flatMap((one) => fold(analyzer, one, PRODUCER)));
  const { verifier, differences } = walk(rows, metrics);
  const { payload } = checkpointRow(analyzer, placeBehind(rows), PRODUCER);
  verifier.acceptCheckpoint("7", change(JSON.stringify(payload)));
  return differences.first;
}

describe("a checkpoint is proved", () => {
  it("by what a full replay gives, under any settings", () => {
    fc.assert(
      fc.property(anyMerges, anySettings, (all, metrics) => {
        fc.pre(all.length > 0);
        expect(prove(all, metrics)).toStrictEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("unless a fact, seq, gate, project or place in it was changed", () => {
    const changes: readonly (readonly [string | RegExp, string])[] = [
      [/"facts":"([^"]*) 1\*/, '"facts":"$1 2*'],
      [/:1\*/, "*"],
      ['"seq":26', '"seq":25'],
      ['"state":"high"', '"state":"low"'],
      ['"project":"zeus"', '"project":"hera"'],
      ['"row_id":"', '"row_id":"9'],
      ['"skipped":0', '"skipped":1'],
      ['"schema_version":1', '"schema_version":9'],
    ];
    expect(prove(EVENTFUL, SMALL)).toStrictEqual([]);
    for (const [from, to] of changes) {
      const found = prove(EVENTFUL, SMALL, (text) => {
        const other = text.replace(from, to);
        expect(other).not.toBe(text);
        return other;
      });
      expect(found.map(({ kind }) => kind)).toContain("checkpoint");
    }
  });
});

describe("a checkpoint is not proved", () => {
  it("with another newest merge, or none", () => {
    expect(proved(() => undefined)).toStrictEqual([]);
    expect(proved((payload) => (payload["newest"] = null))).toStrictEqual([
      ["newest event none", `newest event ${newest}`],
    ]);
    expect(
      proved((payload) => (payload["newest"] = { ...(payload["newest"] as Payload), event_id: "5" })),
    ).toStrictEqual([["newest event 5", `newest event ${newest}`]]);
  });

  it("with another place in the order of its global scope", () => {
    expect(
      proved((payload) => {
        payload["seq"] = 25;
        scope(payload, (global) => (global["seq"] = 25));
      }),
    ).toStrictEqual([["seq 25", "seq 26"]]);
  });

  it("with facts that are none, or too few", () => {
    expect(proved((payload) => scope(payload, (global) => (global["facts"] = "x")))).toStrictEqual([
      ["metric.checkpoint: its facts cannot be read", "a checkpoint that can be read"],
    ]);
    const [few = []] = proved((payload) => scope(payload, (global) => (global["facts"] = "2*3")));
    expect(few[0]).toBe("3 merges");
  });

  it("without a gate that has crossed", () => {
    expect(proved((payload) => scope(payload, (global) => (global["gates"] = {})))).toContainEqual([
      "first_pass_merge_rate: unknown, undefined, crossed at never",
      expect.stringMatching(/^first_pass_merge_rate: low, defined, crossed at \d+$/),
    ]);
  });
});

describe("where rows are missing before it, a checkpoint may know more, never less:", () => {
  const pruned = ROWS.slice(indexOf("first_pass_merge_rate", 12));
  const skipped = rowsOf(
    [skippedRow({ eventId: "9000", workItemId: "900", reason: "attempts_invalid" }, PRODUCER)],
    900,
  );

  it("facts, skips, and the last crossing of a gate", () => {
    expect(proved(() => undefined, pruned)).toStrictEqual([]);
    expect(proved((payload) => (payload["skipped"] = 5), [...pruned, ...skipped])).toStrictEqual([]);
    expect(proved((payload) => (payload["skipped"] = 0), [...pruned, ...skipped])).toStrictEqual([
      ["skipped 0", "skipped 1 or more"],
    ]);
    const [few = []] = proved((payload) => scope(payload, (global) => (global["facts"] = "2*3")), pruned);
    expect(few).toStrictEqual(["3 merges", expect.stringMatching(/^\d+ merges or more$/)]);
  });
});

const unconfigured = () => new ScopeMemory({ metrics: [], capacity: 100, verdicts: new VerdictNumbers() });

describe("a scope under verification", () => {
  it("reads right with more windows in turn than it keeps figures for", () => {
    const scoped = unconfigured();
    for (let seq = 1; seq <= 40; seq += 1) {
      scoped.push(packEntry(seq % 3 === 0 ? 2 : 1, 0));
      for (let window = 1; window <= Math.min(seq, 12); window += 1) {
        const last = Array.from({ length: window }, (_, age) => seq - age);
        expect(scoped.readingUnder("first_pass_merge_rate", window, [], window)).toMatchObject({
          numerator: last.filter((one) => one % 3 !== 0).length,
        });
      }
    }
  });

  it("reads over fewer merges than it knows, as a writer did that knew no more", () => {
    const scoped = unconfigured();
    for (const attempts of [1, 1, 2]) scoped.push(packEntry(attempts, 0));
    expect(scoped.readingUnder("first_pass_merge_rate", 3, [], 2)).toMatchObject({ n: 2, numerator: 1 });
  });
});
