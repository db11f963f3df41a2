import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import specification from "@asyncapi/specs/schemas/3.0.0.json" with { type: "json" };
import { Ajv, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { readMetricsFile } from "../../src/config/metrics-file.ts";
import { documentExamples, type Story } from "../../src/contracts/document-examples.ts";
import { contractFiles } from "../../src/contracts/files.ts";
import {
  DOCUMENT_NAMES,
  DOCUMENTS,
  type DocumentName,
  EVENT_KINDS,
  EVENTS,
  type EventKind,
} from "../../src/contracts/json-schema.ts";
import { PUBLISHED, readPublished } from "../../src/contracts/published.ts";
import { snapshot } from "../../src/contracts/snapshot.ts";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { checkpointRow } from "../../src/core/checkpoint.ts";
import { type Facts, SKIP_REASONS } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { skippedRow } from "../../src/core/metric-event.ts";
import { snapshotOf } from "../../src/core/snapshot.ts";
import { CONTRACT, FIRST_PASS, merge, P95, PRODUCER, REBASE, SMALL } from "../core/build.ts";

const folder = fileURLToPath(new URL("../../config/contracts/", import.meta.url));
const parse = (text: string): unknown => JSON.parse(text) as unknown;
const read = (path: string): unknown => parse(readFileSync(folder + path, "utf8"));

type Row = { readonly kind: string; readonly payload: Record<string, unknown> };

const PROJECTS = [
  "atlas",
  "atlas",
  "atlas",
  "borealis",
  "__proto__",
  'a"|global|\n\u001b[2J',
  "é🚀".repeat(170),
];
const VERDICTS = ["approve", "approve", "rebase_conflict", "stale_base", null];

/** Facts that wander, the same ones every time: long good and bad stretches, so that every gate crosses often. */
function wandering(count: number): Facts[] {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  return Array.from({ length: count }, (_, index) => {
    const bad = Math.floor(index / 70) % 2 === 1;
    return {
      project: PROJECTS[random(PROJECTS.length)] ?? "",
      attempts: random(10) < (bad ? 6 : 1) ? 2 + random(3) : 1,
      lastVerdict: random(10) < (bad ? 5 : 0) ? (VERDICTS[random(VERDICTS.length)] ?? null) : "approve",
    };
  });
}

/** What the daemon writes over a long life, as it stands in the log. */
function written(settings: readonly MetricSettings[], merges = 700): Row[] {
  const analyzer = new Analyzer(settings);
  const rows = wandering(merges).flatMap((facts, index) => [
    ...fold(
      analyzer,
      merge(index + 1, { ...facts, ...(index % 50 === 7 ? { mergedAt: null } : {}) }),
      PRODUCER,
    ),
    ...(index % 100 === 99
      ? [checkpointRow(analyzer, { row_id: "9007199254740993", low_mark: "12", floor: "0" }, PRODUCER)]
      : []),
  ]);
  const skipped = SKIP_REASONS.map((reason, index) =>
    skippedRow({ eventId: String(index + 1), workItemId: index === 0 ? null : "x", reason }, PRODUCER),
  );
  return [...rows, ...skipped].map(({ kind, payload }) => ({
    kind,
    payload: parse(JSON.stringify(payload)) as Record<string, unknown>,
  }));
}

const HISTORIES: readonly (readonly [string, readonly MetricSettings[]])[] = [
  ["the contract's metrics", CONTRACT],
  ["small windows", SMALL],
  [
    "other verdicts, everything recorded for projects",
    [
      { ...FIRST_PASS, window: 10, record: ["global", "project"] },
      { ...REBASE, window: 7, verdicts: ["rebase_conflict", "stale_base"] },
      { ...P95, window: 9, record: ["global", "project"] },
    ],
  ],
  ["no gates", [{ ...FIRST_PASS, window: 5, gate: null }, { ...REBASE, window: 5, gate: null }, P95]],
];

const ajv = new Ajv2020({
  strict: true,
  strictTypes: false,
  allErrors: true,
  formats: { "date-time": true },
});
const published = Object.fromEntries(
  [...EVENT_KINDS, ...DOCUMENT_NAMES].map((name) => [
    name,
    ajv.compile(read(`${name}.schema.json`) as object),
  ]),
) as Record<EventKind | DocumentName, ValidateFunction>;

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
      const strict = EVENTS[kind as EventKind].safeParse(payload);
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
      expect(snapshot.safeParse(document).error?.issues ?? []).toStrictEqual([]);
      expect(published.snapshot(document) ? [] : published.snapshot.errors).toStrictEqual([]);
    }
  });
});

/** Memory, rows and merges of a long life, for the documents that are made of them. */
function storyOf(metrics: readonly MetricSettings[], count: number): Story {
  const analyzer = new Analyzer(metrics);
  const merges = wandering(count).map((facts, index) =>
    merge(index + 1, { ...facts, ...(index % 50 === 7 ? { mergedAt: null } : {}) }),
  );
  const rows = merges.flatMap((each) => fold(analyzer, each, PRODUCER));
  return { metrics, merges, rows, analyzer, generatedAt: "2026-11-22T10:06:41.500Z" };
}

describe("the documents", () => {
  test.each(HISTORIES)("are what the contracts say, at any time: %s", (_, settings) => {
    for (const merges of [0, 1, 60, 300]) {
      const documents = documentExamples(storyOf(settings, merges));
      for (const name of DOCUMENT_NAMES) {
        for (const document of documents[name]) {
          const told = parse(JSON.stringify(document));
          expect([name, DOCUMENTS[name].safeParse(told).error?.issues ?? []]).toStrictEqual([name, []]);
          expect([name, published[name](told) ? [] : published[name].errors]).toStrictEqual([name, []]);
        }
      }
    }
  });

  test("may grow within version 1, which is no error for an old copy of the contract", () => {
    const documents = documentExamples(storyOf(CONTRACT, 300));
    for (const name of DOCUMENT_NAMES) {
      const grown = { ...(documents[name][0] as object), added: { later: true } };
      expect([name, published[name](grown), DOCUMENTS[name].safeParse(grown).success]).toStrictEqual([
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
      expect(EVENTS[kind].safeParse(row).success).toBe(false);
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
    expect(EVENTS[kind].safeParse(row).success).toBe(false);
  });

  test.each<[string, EventKind, Record<string, unknown>]>([
    ["a value beside its numerator", "metric.first_pass_merge_rate", { value: 0.123 }],
    ["a value before the window is full", "metric.first_pass_merge_rate", { n: 49 }],
    ["a crossing that reached no bound", "metric.threshold_crossed", { upper: 1, lower: 0 }],
    ["a key of another merge", "metric.p95_attempts_to_merge", { key: "p95_attempts_to_merge|global|1x" }],
  ])("cannot refuse %s; the strict ones do", (_, kind, change) => {
    const row = { ...one(kind, isDefined), ...change };
    expect(published[kind](row)).toBe(true);
    expect(EVENTS[kind].safeParse(row).success).toBe(false);
  });
});

describe("the files", () => {
  test("are what `npm run contracts` writes", () => {
    const file = readMetricsFile(
      fileURLToPath(new URL("../../config/metrics.json", import.meta.url)),
      "",
      [],
    );
    const generated = contractFiles(file?.metrics ?? []);
    const there = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length).replace(/^\//, ""));
    expect(new Set(there)).toStrictEqual(new Set(generated.keys()));
    for (const [path, text] of generated) expect(readFileSync(folder + path, "utf8")).toBe(text);
  });

  test("that are listed are there, with an address of their own", () => {
    for (const listed of PUBLISHED.filter(({ name }) => name !== "asyncapi")) {
      expect(parse(readPublished(listed))).toMatchObject({
        $schema: "https://json-schema.org/draft/2020-12/schema",
        $id: `urn:damascus-metrics:1:${listed.name}`,
      });
    }
  });

  test("hold an example of every kind and document, each as it would be written", () => {
    for (const kind of EVENT_KINDS) {
      const examples = read(`examples/${kind}.json`) as unknown[];
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples)
        expect(EVENTS[kind].safeParse(example).error?.issues ?? []).toStrictEqual([]);
    }
    for (const name of DOCUMENT_NAMES) {
      const examples = read(`examples/${name}.json`) as unknown[];
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples)
        expect(DOCUMENTS[name].safeParse(example).error?.issues ?? []).toStrictEqual([]);
    }
  });
});

describe("the AsyncAPI document", () => {
  const document = read("asyncapi.json") as {
    readonly channels: { readonly eventsOutbox: { readonly messages: object } };
    readonly components: {
      readonly messages: Record<string, { readonly examples: readonly { readonly payload: unknown }[] }>;
      readonly schemas: Record<string, object>;
    };
  };

  test("is valid by the schema of AsyncAPI 3", () => {
    const validate = new Ajv({
      strict: false,
      validateFormats: false,
      meta: false,
      validateSchema: false,
    }).compile(specification);
    expect(validate(document) ? [] : validate.errors).toStrictEqual([]);
  });

  test("every reference leads somewhere", () => {
    const references = JSON.stringify(document).match(/(?<="\$ref":")[^"]+/g) ?? [];
    expect(references.length).toBeGreaterThan(EVENT_KINDS.length);
    for (const reference of references) {
      const steps = reference.replace(/^#\//, "").split("/");
      const target = steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], document);
      expect(target).toBeTypeOf("object");
    }
  });

  test("every message has the published schema and examples that fit it", () => {
    expect(Object.keys(document.channels.eventsOutbox.messages)).toStrictEqual(EVENT_KINDS);
    for (const kind of EVENT_KINDS) {
      const {
        $schema: _dialect,
        $id: _address,
        ...body
      } = read(`${kind}.schema.json`) as Record<string, unknown>;
      expect(document.components.schemas[kind]).toStrictEqual(body);
      const examples = document.components.messages[kind]?.examples ?? [];
      expect(examples.length).toBeGreaterThan(0);
      for (const { payload } of examples) expect(published[kind](payload)).toBe(true);
    }
  });
});
