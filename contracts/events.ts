/**
 * The events, as strictly as the daemon writes them: exactly these fields. A test checks whole histories against this, so
 * that neither the code nor the published schemas drift alone.
 */
import { z } from "zod";
import { CATALOGUE, isRatio } from "../src/core/catalogue.ts";
import { SKIP_REASONS } from "../src/core/merge.ts";
import type { MetricName } from "../src/core/metric.ts";
import * as fields from "./fields.ts";

const merge = z
  .strictObject({
    event_id: fields.id.describe("events_outbox.id of the transition to merged."),
    work_item_id: fields.workItemId,
    project: fields.project,
    attempts: fields.attempts.describe("Builds it took; 1 is a first pass."),
    last_verdict: z.string().nullable(),
    merged_at: fields.moment
      .nullable()
      .describe("created_at of the transition row; null where that is not a date."),
  })
  .describe("The merge that this row records, with its facts as they were then. They are never read again.");

const key = z.string().min(1).describe("Unique among the rows of a log: drop duplicates by it.");
const producer = z.string().min(1).describe("Program and version that wrote the row.");
const verdicts = z
  .array(z.string())
  .min(1)
  .optional()
  .describe('The verdicts that counted; only where they are not ["rebase_conflict"].');

/** What differs between the metrics and a crossing. */
type Figures = {
  readonly metric: z.ZodType<string>;
  readonly value: z.ZodType<number | null>;
  readonly numerator: z.ZodType<number | null>;
  readonly state: z.ZodType<string | null>;
};

/** A row of either scope, its fields in the order in which they are written. */
function rows(
  { metric, value, numerator, state }: Figures,
  verdictsThere: boolean,
  more: z.ZodRawShape = {},
) {
  const ofScope = (scope: "global" | "project") =>
    z
      .strictObject({
        schema_version: fields.schemaVersion,
        key,
        metric,
        scope: z.literal(scope),
        project: scope === "global" ? z.null() : fields.project,
        seq: fields.count.describe(
          scope === "global"
            ? "The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates."
            : "The merge's place in the order of the project's merges.",
        ),
        value: value.describe("Null until the window is full: undefined, not 0."),
        numerator: numerator.describe("Merges in the window that match; null for a percentile."),
        n: fields.n,
        window: fields.window,
        state: state.describe("State of the gate after this merge; null where it has no gate."),
        ...(scope === "project" ? { effective: fields.effective.optional() } : {}),
        ...(verdictsThere ? { verdicts } : {}),
        merge,
        set_size: fields.count.describe("Rows that record this merge, this one included."),
        producer,
        ...more,
      })
      .meta({ title: scope === "global" ? "of all merges" : "of one project" });
  return z.discriminatedUnion("scope", [ofScope("global"), ofScope("project")]);
}

function metricRows(name: MetricName, description: string) {
  const ratio = isRatio(name);
  return rows(
    {
      metric: z.literal(name),
      value: (ratio ? fields.ratio : fields.attempts).nullable(),
      numerator: ratio ? fields.countOrZero : z.null(),
      state: ratio ? fields.state.nullable() : z.null(),
    },
    CATALOGUE[name].looksAtVerdicts,
  ).describe(description);
}

const crossings = rows(
  {
    metric: fields.metricName,
    value: fields.ratio,
    numerator: fields.countOrZero,
    state: z.enum(["high", "low"]),
  },
  true,
  {
    gate: z.string().min(1),
    direction: z.enum(["up", "down"]),
    from: fields.state,
    to: z.enum(["high", "low"]),
    ...fields.bound,
    previous: z
      .strictObject(fields.crossed)
      .nullable()
      .describe(
        "The crossing before this one of the same metric and scope: its merge and when that took place.",
      ),
  },
).describe(
  "A gate changed its state. Follows the metric row that crossed. A global crossing changes the effective rate of every project that has none of its own.",
);

const mergeSkipped = z
  .strictObject({
    schema_version: fields.schemaVersion,
    key,
    reason: fields.growing(SKIP_REASONS),
    merge: z.strictObject({ event_id: fields.id, work_item_id: fields.workItemId.nullable() }),
    producer,
  })
  .describe("A merge whose facts are unusable: it is counted in no window. A skip is final.");

const checkpointScope = {
  seq: fields.countOrZero,
  facts: z
    .string()
    .regex(/^([1-9][0-9]*(:[0-9]+)?(\*[1-9][0-9]*)?( |$))*$/)
    .describe("The newest merges' facts, oldest first: attempts[:flags][*times]."),
  gates: z.record(
    z.string(),
    z.strictObject({
      state: fields.state,
      defined: z.boolean(),
      crossed: z.strictObject(fields.crossed).nullable(),
    }),
  ),
};

const checkpoint = z
  .strictObject({
    schema_version: fields.schemaVersion,
    key,
    seq: fields.count,
    skipped: fields.countOrZero,
    truncated: z.boolean(),
    newest: z
      .strictObject({
        event_id: fields.id,
        work_item_id: fields.workItemId,
        merged_at: fields.moment.nullable(),
      })
      .nullable(),
    capacity: fields.count,
    verdicts: z.array(z.string().nullable()),
    row_id: fields.id.describe("The newest row that it includes."),
    journal_begins: fields.id.nullable(),
    low_mark: fields.id,
    recorded_above: z.string(),
    unrecorded: z.array(fields.id),
    floor: fields.id.nullable(),
    global: z.strictObject(checkpointScope),
    projects: z.array(z.strictObject({ project: fields.project, ...checkpointScope })),
    producer,
  })
  .describe(
    "The daemon's memory, so that a restart replays few merges. Not meant for consumers, which skip it.",
  );

/** The events by their kind. */
export const EVENTS = {
  "metric.first_pass_merge_rate": metricRows(
    "first_pass_merge_rate",
    "Share of the last merges that took one attempt.",
  ),
  "metric.rebase_conflict_rate": metricRows(
    "rebase_conflict_rate",
    "Share of the last merges whose last verdict was a rebase conflict.",
  ),
  "metric.p95_attempts_to_merge": metricRows(
    "p95_attempts_to_merge",
    "95th percentile (nearest rank) of the attempts that the last merges took.",
  ),
  "metric.threshold_crossed": crossings,
  "metric.merge_skipped": mergeSkipped,
  "metric.checkpoint": checkpoint,
} as const;
