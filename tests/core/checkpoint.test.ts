import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Analyzer } from "../../src/core/analyzer.ts";
import {
  analyzerFrom,
  type CheckpointPayload,
  checkpointRow,
  parseCheckpoint,
} from "../../src/core/checkpoint.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { merges, settings } from "./arbitraries.ts";
import {
  CONFLICT,
  CONTRACT,
  checkpointAt,
  foldAll,
  history,
  journal,
  memory,
  PRODUCER,
  REWORKED,
  record,
  replay,
  SMALL,
  snapshotText,
  times,
} from "./build.ts";

const PLACE = checkpointAt("900", "850");

/** The payload as the database gives it back. */
function written(analyzer: Analyzer): CheckpointPayload {
  const text = JSON.stringify(checkpointRow(analyzer, PLACE, PRODUCER).payload);
  const parsed = parseCheckpoint(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

function restored(analyzer: Analyzer, metrics: readonly MetricSettings[]): Analyzer {
  const back = analyzerFrom(written(analyzer), metrics, 0);
  if (typeof back === "string") throw new Error(back);
  return back;
}

describe("a checkpoint", () => {
  it("gives back the memory that it was made of, and the same future", () => {
    fc.assert(
      fc.property(settings, merges, fc.nat(), (metrics, all, somewhere) => {
        const cut = all.length === 0 ? 0 : 1 + (somewhere % all.length);
        const { analyzer } = record(all.slice(0, cut), metrics);
        fc.pre(analyzer.global.seq > 0);
        const back = restored(analyzer, metrics);
        expect(memory(back)).toEqual(memory(analyzer));
        expect(snapshotText(back)).toBe(snapshotText(analyzer));
        expect(foldAll(back, all.slice(cut))).toEqual(foldAll(analyzer, all.slice(cut)));
      }),
    );
  });

  it("of a journal replayed equals the checkpoint of the memory that wrote it", () => {
    fc.assert(
      fc.property(settings, merges, (metrics, all) => {
        const { analyzer, rows } = record(all, metrics);
        const again = replay(journal(rows), metrics, 0).analyzer;
        expect(checkpointRow(again, PLACE, PRODUCER)).toEqual(checkpointRow(analyzer, PLACE, PRODUCER));
      }),
    );
  });

  it("serves under the verdicts that it was made under, whatever they are", () => {
    const metrics = CONTRACT.map((metric) =>
      metric.verdicts === null ? metric : { ...metric, verdicts: ["conflict", "rebase_conflict"] },
    );
    const { analyzer } = record(history(times(3, CONFLICT)), metrics);
    expect(memory(restored(analyzer, metrics))).toEqual(memory(analyzer));
  });

  it("names the newest merge's work item, for an outbox that takes no row without one", () => {
    const row = checkpointRow(record(history(times(3, {}))).analyzer, PLACE, PRODUCER);
    expect(row).toMatchObject({ kind: "metric.checkpoint", workItemId: "3", payload: { seq: 3, ...PLACE } });
  });

  it("keeps a project's facts as words, like merges together", () => {
    const outcomes = [...times(4, {}), ...times(2, REWORKED), { ...CONFLICT, attempts: 12 }];
    const { payload } = checkpointRow(record(history(outcomes)).analyzer, PLACE, PRODUCER);
    expect(payload.projects[0]).toMatchObject({ project: "atlas", seq: 7, facts: "1*4 2*2 12:1" });
    expect(payload.verdicts).toEqual(["approve", "rebase_conflict"]);
  });

  it("of 20 busy projects takes less than 8 kB", () => {
    const all = history(times(4000, {})).map((one, index) => ({
      ...one,
      project: `project-${index % 20}`,
      attempts: index % 5 === 0 ? 2 : 1,
      lastVerdict: index % 15 === 0 ? "rebase_conflict" : "approve",
    }));
    const { payload } = checkpointRow(record(all).analyzer, PLACE, PRODUCER);
    expect(JSON.stringify(payload).length).toBeLessThan(8_000);
  });

  it("keeps hostile project names apart", () => {
    const names = ["__proto__", "constructor", "toString", "a\u202eb", "🦉", "x".repeat(512)];
    const all = history(names.map((project) => ({ project })));
    const { analyzer } = record(all);
    expect([...restored(analyzer, CONTRACT).projects.keys()]).toEqual(names);
  });

  it("remembers that its log was cut at the old end", () => {
    const { rows } = record(history(times(200, {})));
    const { analyzer } = replay(journal(rows).slice(90), CONTRACT);
    expect(restored(analyzer, CONTRACT).truncated).toBe(true);
  });
});

describe("a checkpoint made under another configuration", () => {
  const { analyzer } = record(history(times(60, CONFLICT)), SMALL);

  it("serves smaller windows, as it reaches back far enough", () => {
    const smaller = SMALL.map((metric) => ({ ...metric, window: 2 }));
    expect(memory(restored(analyzer, smaller))).toMatchObject({ global: { seq: 60 } });
  });

  it("does not serve larger windows, whose facts it dropped", () => {
    expect(analyzerFrom(written(analyzer), CONTRACT, 0)).toBe("it reaches back 5 merges, 100 are needed");
  });

  it("serves larger windows while it holds every merge there was", () => {
    const young = record(history(times(4, CONFLICT)), SMALL).analyzer;
    expect(restored(young, CONTRACT).global.reading(1)).toMatchObject({ numerator: 4, n: 4, window: 100 });
  });

  it("serves other verdicts, as it keeps each merge's own", () => {
    const others = SMALL.map((metric) =>
      metric.verdicts === null ? metric : { ...metric, verdicts: ["approve", "needs_rebase"] },
    );
    const all = history([CONFLICT, {}, { lastVerdict: "needs_rebase" }, { lastVerdict: null }]);
    const back = restored(record(all, SMALL).analyzer, others);
    expect(back.global.reading(1)).toEqual(record(all, others).analyzer.global.reading(1));
    expect(back.global.reading(1)).toMatchObject({ numerator: 2 });
  });

  it("is unusable for a verdict that it could not distinguish from others", () => {
    const many = history(Array.from({ length: 5_000 }, (_, nth) => ({ lastVerdict: `verdict ${nth}` })));
    const crowded = record(many, SMALL).analyzer;
    expect(memory(restored(crowded, SMALL))).toEqual(memory(crowded));
    const named = SMALL.map((metric) =>
      metric.verdicts === null ? metric : { ...metric, verdicts: ["verdict 4999"] },
    );
    expect(analyzerFrom(written(crowded), named, 0)).toBe("it has more verdicts than it can distinguish");
  });
});

describe("a checkpoint that is not whole", () => {
  const whole = checkpointRow(record(history(times(3, {}))).analyzer, PLACE, PRODUCER).payload;
  const edited = (edit: (payload: Record<string, unknown>) => void): string => {
    const copy = JSON.parse(JSON.stringify(whole)) as Record<string, unknown>;
    edit(copy);
    return JSON.stringify(copy);
  };

  it.each([
    ["no payload", null, "its payload cannot be read"],
    ["no JSON", "{", "its payload cannot be read"],
    ["no object", "[]", "its payload cannot be read"],
    [
      "a newer schema",
      edited((payload) => (payload["schema_version"] = 2)),
      "it has schema_version 2, 1 is known",
    ],
    ["no seq", edited((payload) => delete payload["seq"]), "it is not whole"],
    ["a seq of 0", edited((payload) => (payload["seq"] = 0)), "it is not whole"],
    [
      "a low-water mark that is not an id",
      edited((payload) => (payload["low_mark"] = "1; drop")),
      "it is not whole",
    ],
    ["a project that is no object", edited((payload) => (payload["projects"] = [1])), "it is not whole"],
    [
      "a project without a name",
      edited((payload) => (payload["projects"] = [whole.global])),
      "it is not whole",
    ],
    ["verdicts that are no texts", edited((payload) => (payload["verdicts"] = ["a", 1])), "it is not whole"],
    [
      "a gate of no known state",
      edited((payload) => (payload["global"] = { ...whole.global, gates: { x: { state: "open" } } })),
      "it is not whole",
    ],
  ])("is skipped with a reason: %s", (_, text, reason) => {
    expect(parseCheckpoint(text)).toBe(reason);
  });

  it.each(["1*", "0", "1:", "-1", "1*0", "1,1", "x"])("is skipped when its facts say %j", (facts) => {
    const payload = { ...whole, global: { ...whole.global, facts } };
    expect(analyzerFrom(payload, [...CONTRACT], 0)).toBe("its facts cannot be read");
  });
});
