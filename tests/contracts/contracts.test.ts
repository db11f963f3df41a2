/** What the daemon writes and shows is what its contracts say, and what they let pass and refuse. */
import { describe, expect, test } from "vitest";
import { documentExamples } from "../../contracts/document-examples.ts";
import { DOCUMENT_NAMES, EVENT_KINDS, type EventKind, SCHEMAS } from "../../contracts/json-schema.ts";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { snapshotOf } from "../../src/core/snapshot.ts";
import { CONTRACT, merge, PRODUCER } from "../core/build.ts";
import { HISTORIES, storyOf, wandering, written } from "./histories.ts";
import { parse, published } from "./published.ts";

const isDefined = ({ value }: Record<string, unknown>): boolean => value !== null;
const story = written(CONTRACT);
const one = (kind: EventKind, matches: (payload: Record<string, unknown>) => boolean = () => true) => {
  const row = story.find((candidate) => candidate.kind === kind && matches(candidate.payload));
  return structuredClone(row?.payload ?? {});
};

describe("what the daemon writes", () => {
  test.each(HISTORIES)("is what the contracts say, row by row: %s", (_, settings) => {
    const kinds = new Set<string>();
    for (const { kind, payload } of written(settings)) {
      kinds.add(kind);
      const strict = SCHEMAS[kind as EventKind].safeParse(payload);
      expect(strict.error?.issues ?? []).toStrictEqual([]);
      const valid = published[kind as EventKind];
      expect(valid(payload) ? [] : valid.errors).toStrictEqual([]);
    }
    const crosses = settings.some(({ gate }) => gate !== null);
    expect(kinds).toStrictEqual(
      new Set(EVENT_KINDS.filter((kind) => crosses || kind !== "metric.threshold_crossed")),
    );
  });

  test.each(HISTORIES)("a snapshot is what the contract says, at any time: %s", (_, settings) => {
    const surroundings = {
      generatedAt: "2026-11-22T10:06:41.500Z",
      running: 2,
      lag: { merges: 3, seconds: 0.4 },
    };
    for (const merges of [0, 1, 20, 60, 110, 300]) {
      const analyzer = new Analyzer(settings);
      wandering(merges).forEach((facts, index) => fold(analyzer, merge(index + 1, facts), PRODUCER));
      const document = parse(JSON.stringify(snapshotOf(analyzer, surroundings)));
      expect(SCHEMAS.snapshot.safeParse(document).error?.issues ?? []).toStrictEqual([]);
      expect(published.snapshot(document) ? [] : published.snapshot.errors).toStrictEqual([]);
    }
  });
});

describe("the documents", () => {
  test.each(HISTORIES)("are what the contracts say, at any time: %s", (_, settings) => {
    for (const merges of [0, 1, 60, 300]) {
      const documents = documentExamples(storyOf(settings, merges));
      for (const name of DOCUMENT_NAMES) {
        for (const document of documents[name]) {
          const told = parse(JSON.stringify(document));
          expect([name, SCHEMAS[name].safeParse(told).error?.issues ?? []]).toStrictEqual([name, []]);
          expect([name, published[name](told) ? [] : published[name].errors]).toStrictEqual([name, []]);
        }
      }
    }
  });

  test("may grow within version 1, which is no error for an old copy of the contract", () => {
    const documents = documentExamples(storyOf(CONTRACT, 300));
    for (const name of DOCUMENT_NAMES) {
      const grown = { ...(documents[name][0] as object), added: { later: true } };
      expect([name, published[name](grown), SCHEMAS[name].safeParse(grown).success]).toStrictEqual([
        name,
        true,
        false,
      ]);
    }
  });
});

describe("the published schemas", () => {
  test("allow what is added within version 1: fields, reasons, metrics", () => {
    for (const kind of EVENT_KINDS) {
      const row = { ...one(kind), added: { later: true } };
      expect(published[kind](row)).toBe(true);
      expect(SCHEMAS[kind].safeParse(row).success).toBe(false);
    }
    expect(published["metric.merge_skipped"]({ ...one("metric.merge_skipped"), reason: "later" })).toBe(true);
    const crossed = one("metric.threshold_crossed");
    expect(published["metric.threshold_crossed"]({ ...crossed, metric: "later", gate: "later" })).toBe(true);
  });

  test.each<[string, EventKind, Record<string, unknown>]>([
    ["another version", "metric.first_pass_merge_rate", { schema_version: 2 }],
    ["no key", "metric.first_pass_merge_rate", { key: undefined }],
    ["a percentage for a ratio", "metric.first_pass_merge_rate", { value: 88 }],
    ["a number as text", "metric.rebase_conflict_rate", { n: "100" }],
    [
      "an id as a number",
      "metric.rebase_conflict_rate",
      { merge: { ...(one("metric.rebase_conflict_rate")["merge"] as object), event_id: 7 } },
    ],
    ["a global row with a project", "metric.first_pass_merge_rate", { project: "atlas" }],
    ["a scope that does not exist", "metric.first_pass_merge_rate", { scope: "team" }],
    ["a window of nothing", "metric.first_pass_merge_rate", { window: 0 }],
    ["half an attempt", "metric.p95_attempts_to_merge", { value: 1.5 }],
    ["a state that does not exist", "metric.threshold_crossed", { to: "unknown" }],
    ["a crossing without bounds", "metric.threshold_crossed", { upper: undefined }],
    ["a crossing without a value", "metric.threshold_crossed", { value: null }],
    [
      "a date without a zone",
      "metric.threshold_crossed",
      { previous: { event_id: "1", since: "2026-11-22T10:06:41.500" } },
    ],
    ["a merge without facts", "metric.p95_attempts_to_merge", { merge: { event_id: "1" } }],
  ])("refuse %s", (_, kind, change) => {
    const row = parse(JSON.stringify({ ...one(kind, isDefined), ...change }));
    expect(published[kind](row)).toBe(false);
    expect(SCHEMAS[kind].safeParse(row).success).toBe(false);
  });
});
