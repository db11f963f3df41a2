/** Histories of a long life under several settings, and what the daemon writes and shows of them. */
import type { Story } from "../../contracts/document-examples.ts";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { checkpointRow } from "../../src/core/checkpoint.ts";
import { type Facts, SKIP_REASONS } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { skippedRow } from "../../src/core/metric-event.ts";
import { CONTRACT, checkpointAt, FIRST_PASS, merge, P95, PRODUCER, REBASE, SMALL } from "../core/build.ts";
import { parse } from "./published.ts";

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
export function wandering(count: number): Facts[] {
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
export function written(settings: readonly MetricSettings[], merges = 700): Row[] {
  const analyzer = new Analyzer(settings);
  const rows = wandering(merges).flatMap((facts, index) => [
    ...fold(
      analyzer,
      merge(index + 1, { ...facts, ...(index % 50 === 7 ? { mergedAt: null } : {}) }),
      PRODUCER,
    ),
    ...(index % 100 === 99
      ? [checkpointRow(analyzer, checkpointAt("9007199254740993", "12"), PRODUCER)]
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

export const HISTORIES: readonly (readonly [string, readonly MetricSettings[]])[] = [
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

/** Memory, rows and merges of a long life, for the documents that are made of them. */
export function storyOf(metrics: readonly MetricSettings[], count: number): Story {
  const analyzer = new Analyzer(metrics);
  const merges = wandering(count).map((facts, index) =>
    merge(index + 1, { ...facts, ...(index % 50 === 7 ? { mergedAt: null } : {}) }),
  );
  const rows = merges.flatMap((each) => fold(analyzer, each, PRODUCER));
  return { metrics, merges, rows, analyzer, generatedAt: "2026-11-22T10:06:41.500Z" };
}
