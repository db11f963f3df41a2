/** Examples of every event and document: a short story, recorded by the code that writes the log. */
import { Analyzer, fold } from "../src/core/analyzer.ts";
import { checkpointRow } from "../src/core/checkpoint.ts";
import type { Merge } from "../src/core/merge.ts";
import type { MetricSettings } from "../src/core/metric.ts";
import { type EventRow, skippedRow } from "../src/core/metric-event.ts";
import { documentExamples } from "./document-examples.ts";
import type { DocumentName, EventKind } from "./json-schema.ts";

/** A version of its own, so that a release does not change the published files. */
const PRODUCER = "damascus-metrics/1.0.0";
const MERGES = 260;
const BEGIN = Date.UTC(2026, 10, 18, 6, 0);
const HALF_HOUR = 1_800_000;

type Examples = Readonly<Record<EventKind | DocumentName, readonly unknown[]>>;

/** Each list begins with the simplest case. */
export function examples(metrics: readonly MetricSettings[]): Examples {
  const analyzer = new Analyzer(metrics);
  const rows: EventRow[] = [];
  const merges = Array.from({ length: MERGES }, (_, index) => merge(index + 1));
  for (const one of merges) rows.push(...fold(analyzer, one, PRODUCER));
  const of = (kind: EventKind, ...wanted: ((payload: Payload) => boolean)[]): readonly unknown[] => {
    const payloads = rows.filter((row) => row.kind === kind).map((row) => row.payload as Payload);
    return wanted.map((matches) => found(payloads.find(matches), kind));
  };
  return {
    "metric.first_pass_merge_rate": of("metric.first_pass_merge_rate", undefinedOne, definedOne),
    "metric.rebase_conflict_rate": of("metric.rebase_conflict_rate", undefinedOne, definedOne, young, own),
    "metric.p95_attempts_to_merge": of("metric.p95_attempts_to_merge", undefinedOne, definedOne),
    "metric.threshold_crossed": of(
      "metric.threshold_crossed",
      ({ metric }) => metric === "first_pass_merge_rate",
      ({ metric, to }) => metric === "first_pass_merge_rate" && to === "low",
      ({ metric, scope }) => metric === "rebase_conflict_rate" && scope === "global",
      ({ scope }) => scope === "project",
    ),
    "metric.merge_skipped": [
      skippedRow({ eventId: "48219", workItemId: "915", reason: "attempts_invalid" }, PRODUCER).payload,
      skippedRow({ eventId: "48220", workItemId: null, reason: "work_item_missing" }, PRODUCER).payload,
    ],
    "metric.checkpoint": [
      checkpointRow(
        analyzer,
        {
          row_id: "52031",
          journal_begins: "131",
          low_mark: "52020",
          recorded_above: "2 6",
          unrecorded: ["51007"],
          floor: null,
        },
        PRODUCER,
      ).payload,
    ],
    ...documentExamples({
      metrics,
      merges,
      rows,
      analyzer,
      generatedAt: new Date(BEGIN + (MERGES + 1) * HALF_HOUR).toISOString(),
    }),
  };
}

type Payload = {
  readonly metric: string;
  readonly scope: string;
  readonly value: number | null;
  readonly n: number;
  readonly to?: string;
  readonly effective?: { readonly scope: string | null };
};

const undefinedOne = ({ value, n, scope }: Payload): boolean =>
  value === null && n === 23 && scope === "global";
const definedOne = ({ value, scope }: Payload): boolean => value !== null && scope === "global";
const young = ({ scope, effective }: Payload): boolean =>
  scope === "project" && effective?.scope === "global";
const own = ({ scope, effective }: Payload): boolean => scope === "project" && effective?.scope === "project";

/** Work goes well, then items come back and branches collide, then it recovers. */
function merge(index: number): Merge {
  const troubled = index > 110 && index <= 190;
  const conflict = index % (troubled ? 4 : 30) === 0;
  return {
    eventId: String(48_000 + 9 * index),
    workItemId: String(700 + index),
    project: index % 4 === 0 ? "borealis" : "atlas",
    attempts: conflict ? 2 : index % (troubled ? 3 : 12) === 0 ? 3 : 1,
    lastVerdict: conflict ? "rebase_conflict" : "approve",
    mergedAt: new Date(BEGIN + index * HALF_HOUR).toISOString(),
  };
}

function found<T>(example: T | undefined, kind: string): T {
  if (example === undefined) throw new Error(`the story has no example of ${kind}`);
  return example;
}
