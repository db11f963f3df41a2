/** Metrics over the merges: the history document, and the daemon's memory of the last merges. */
import { z } from "zod";
import * as fields from "./fields.ts";

const crossing = {
  gate: z.string().min(1),
  from: fields.state,
  to: fields.state,
  ...fields.bound,
};

const point = z.strictObject({
  seq: fields.count.describe("The merge's place in the order of the series' scope, from 1."),
  event_id: fields.id,
  merged_at: fields.moment.nullable(),
  value: fields.value,
  numerator: fields.countOrZero.nullable(),
  n: fields.n,
  window: fields.window,
  state: fields.state.nullable().describe("State of the gate; null where the scope has none."),
  crossing: z
    .strictObject(crossing)
    .nullable()
    .describe("The crossing at this merge, with the gate's name and bounds at that time."),
});

const series = fields.ofEitherScope({
  metric: fields.metricName,
  source: z
    .enum(["recorded", "computed"])
    .describe("computed: not recorded for this scope; what the recorded merges give."),
  gate: fields.gate.nullable().describe("Today's; null where the scope has none."),
  points: z.array(point).describe("Oldest first."),
});

export const history = z
  .strictObject({
    schema_version: fields.schemaVersion,
    as_of: z.strictObject(fields.asOf),
    series: z.array(series),
  })
  .describe("Metrics over the merges: `metrics history --json`.");

const recentMerge = z.strictObject({
  seq: fields.count,
  event_id: fields.id,
  work_item_id: fields.workItemId,
  project: fields.project,
  attempts: fields.attempts,
  last_verdict: z.string().nullable(),
  merged_at: fields.moment.nullable(),
  first_pass: z.boolean().describe("Whether one attempt was enough."),
  rebase_conflict: z.boolean().describe("Whether the last verdict is one of those that count today."),
});

const recentCrossing = fields.ofEitherScope({
  ...crossing,
  metric: fields.metricName,
  value: fields.value,
  event_id: fields.id.describe("The merge that crossed."),
  merged_at: fields.moment.nullable(),
});

export const recentHistory = z
  .strictObject({
    schema_version: fields.schemaVersion,
    series: z
      .array(series)
      .describe(
        "Metrics of all merges, then the gated ones of the projects that matter most, each over the last merges of its scope.",
      ),
    merges: z.array(recentMerge).describe("Oldest first."),
    crossings: z.array(recentCrossing).describe("Of every scope, oldest first."),
  })
  .describe("The last merges, as the daemon remembers them: /history.json.");
