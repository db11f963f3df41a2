/**
 * The events, as strictly as the daemon writes them: no field more, every number consistent with the ones beside it. A
 * test holds whole histories against this, so that neither the code nor the published schemas drift alone.
 */
import { z } from "zod";
import { CATALOGUE, isRatio } from "../core/catalogue.ts";
import { SKIP_REASONS } from "../core/merge.ts";
import type { MetricName } from "../core/metric.ts";
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
      .describe("created_at of the transition row; null where that is no date."),
  })
  .describe("The merge that this row records, with its facts as they were then. They are never read again.");

const key = z.string().min(1).describe("Unique among the rows of a log: drop repeats by it.");
const producer = z.string().min(1).describe("Program and version that wrote the row.");
const setSize = fields.count.describe("Rows that record this merge, this one included.");
const verdicts = z
  .array(z.string())
  .min(1)
  .optional()
  .describe('The verdicts that counted; only where they are not ["rebase_conflict"].');

const crossing = {
  gate: z.string().min(1),
  direction: z.enum(["up", "down"]),
  from: fields.state,
  to: z.enum(["high", "low"]),
  ...fields.bound,
  previous: z
    .strictObject({ event_id: fields.id, since: fields.moment.nullable() })
    .nullable()
    .describe(
      "The crossing before this one of the same metric and scope: its merge and when that took place.",
    ),
};

type Scope = "global" | "project";

/** The fields that every metric row has, in the order in which they are written. */
function common(
  scope: Scope,
  metric: z.ZodType<string>,
  value: z.ZodType<number | null>,
  numerator: z.ZodType<number | null>,
  state: z.ZodType<string | null>,
) {
  return {
    schema_version: fields.schemaVersion,
    key,
    metric,
    scope: z.literal(scope),
    project: scope === "global" ? z.null() : fields.project,
    seq: fields.count.describe(
      scope === "global"
        ? "The merge's place in the order of all merges: 1, 2, 3 without gap or repeat."
        : "The merge's place in the order of the project's merges.",
    ),
    value: value.describe("Null until the window is full: undefined, not 0."),
    numerator: numerator.describe("Merges in the window that match; null for a percentile."),
    n: fields.n,
    window: fields.window,
    state: state.describe("Where the gate stands after this merge; null where there is none."),
    ...(scope === "project" ? { effective: fields.effective.optional() } : {}),
  };
}

const tail = { merge, set_size: setSize, producer };

function metricEvent(name: MetricName, title: string, description: string) {
  const { looksAtVerdicts } = CATALOGUE[name];
  const ratio = isRatio(name);
  const value = (ratio ? fields.ratio : fields.attempts).nullable();
  const numerator = ratio ? fields.countOrZero : z.null();
  const state = ratio ? fields.state.nullable() : z.null();
  const rowOf = (scope: Scope) =>
    z.strictObject({
      ...common(scope, z.literal(name), value, numerator, state),
      ...(looksAtVerdicts ? { verdicts } : {}),
      ...tail,
    });
  return z
    .discriminatedUnion("scope", [
      rowOf("global").meta({ title: "of all merges" }),
      rowOf("project").meta({ title: "of one project" }),
    ])
    .superRefine((row, context) => consistent(row as Consistent, context))
    .meta({ title, description });
}

export const firstPassMergeRate = metricEvent(
  "first_pass_merge_rate",
  "metric.first_pass_merge_rate",
  "Share of the last merges that took one attempt.",
);

export const rebaseConflictRate = metricEvent(
  "rebase_conflict_rate",
  "metric.rebase_conflict_rate",
  "Share of the last merges whose last verdict was a rebase conflict.",
);

export const p95AttemptsToMerge = metricEvent(
  "p95_attempts_to_merge",
  "metric.p95_attempts_to_merge",
  "95th percentile (nearest rank) of the attempts that the last merges took.",
);

const crossingRow = (scope: Scope) =>
  z.strictObject({
    ...common(scope, fields.metricName, fields.ratio, fields.countOrZero, z.enum(["high", "low"])),
    verdicts,
    ...tail,
    ...crossing,
  });

export const thresholdCrossed = z
  .discriminatedUnion("scope", [
    crossingRow("global").meta({ title: "of all merges" }),
    crossingRow("project").meta({ title: "of one project" }),
  ])
  .superRefine((row, context) => {
    consistent(row as Consistent, context);
    hold(context, row.to === row.state, "to is the state");
    hold(context, row.from !== row.to, "from differs from to");
    hold(context, (row.direction === "up") === (row.to === "high"), "up is to high");
    hold(
      context,
      row.to === "high" ? Number(row.value) >= row.upper : Number(row.value) < row.lower,
      "the value reached the bound",
    );
  })
  .meta({
    title: "metric.threshold_crossed",
    description:
      "A gate changed its state. Follows the metric row that crossed. A global crossing changes the effective rate of every project that has none of its own.",
  });

export const mergeSkipped = z
  .strictObject({
    schema_version: fields.schemaVersion,
    key,
    reason: fields.growing(SKIP_REASONS),
    merge: z.strictObject({ event_id: fields.id, work_item_id: fields.workItemId.nullable() }),
    producer,
  })
  .meta({
    title: "metric.merge_skipped",
    description: "A merge whose facts are unusable: it is counted in no window. A skip is final.",
  });

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
      crossed: z.strictObject({ event_id: fields.id, since: fields.moment.nullable() }).nullable(),
    }),
  ),
};

export const checkpoint = z
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
    row_id: fields.id.describe("The newest row that is folded into it."),
    journal_begins: fields.id.nullable(),
    low_mark: fields.id,
    recorded_above: z.string(),
    unrecorded: z.array(fields.id),
    floor: fields.id.nullable(),
    global: z.strictObject(checkpointScope),
    projects: z.array(z.strictObject({ project: fields.project, ...checkpointScope })),
    producer,
  })
  .meta({
    title: "metric.checkpoint",
    description:
      "The daemon's memory, so that a restart folds little. Not meant for consumers, who pass it over.",
  });

type Consistent = {
  readonly key: string;
  readonly metric: string;
  readonly scope: string;
  readonly project: string | null;
  readonly seq: number;
  readonly value: number | null;
  readonly numerator: number | null;
  readonly n: number;
  readonly window: number;
  readonly state: string | null;
  readonly effective?: z.infer<typeof fields.effective> | undefined;
  readonly merge: z.infer<typeof merge>;
};

/** What no JSON Schema can say: the fields of a row agree with each other. */
function consistent(row: Consistent, context: z.RefinementCtx): void {
  const { value, numerator, n, window, merge: facts, effective } = row;
  const place = row.scope === "global" ? "global" : `project:${row.project}`;
  hold(context, row.key.startsWith(`${row.metric}|${place}|${facts.event_id}`), "the key names the row");
  hold(context, row.scope === "global" || row.project === facts.project, "the project is the merge's");
  hold(context, n <= window && n <= row.seq, "n is at most the window, and what was recorded");
  hold(context, (value === null) === n < window, "a value is defined when the window is full");
  hold(context, numerator === null || numerator <= n, "the numerator is at most n");
  hold(
    context,
    value === null || numerator === null || value === numerator / n,
    "the value is numerator / n",
  );
  hold(context, row.state !== null || effective === undefined, "effective stands where there is a gate");
  if (effective === undefined) return;
  const own = effective.scope === "project";
  hold(context, own === (value !== null), "a project follows itself once it is defined");
  hold(
    context,
    !own || (effective.value === value && effective.state === row.state),
    "then with its own reading",
  );
  hold(context, (effective.scope === null) === (effective.value === null), "nothing is followed by nothing");
}

function hold(context: z.RefinementCtx, holds: boolean, message: string): void {
  if (!holds) context.addIssue({ code: "custom", message });
}
