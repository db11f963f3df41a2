/** The snapshot document, as strictly as it is written. */
import { z } from "zod";
import * as fields from "./fields.ts";

const gate = z.strictObject({
  name: z.string().min(1),
  state: fields.state,
  since: fields.moment
    .nullable()
    .describe(
      "merged_at of the merge at which it last crossed; null where it never did or no date is known.",
    ),
  ...fields.bound,
});

const reading = {
  metric: fields.metricName,
  value: z
    .number()
    .nullable()
    .describe("A ratio 0-1 or a number of attempts; null (undefined) until n = window."),
  numerator: fields.countOrZero.nullable(),
  n: fields.n,
  window: fields.window,
  gate: gate.nullable(),
};

export const snapshot = z
  .strictObject({
    schema_version: fields.schemaVersion,
    as_of: z.strictObject({
      seq: fields.countOrZero.describe("Merges recorded."),
      event_id: fields.id.nullable(),
      merged_at: fields.moment.nullable(),
      generated_at: fields.moment,
    }),
    daemon: z.strictObject({ running: fields.countOrZero.describe("Instances connected to the database.") }),
    lag: z.strictObject({
      merges: fields.countOrZero.describe("Merges due and not recorded; they are in no value."),
      seconds: z.number().min(0).nullable().describe("Age of the oldest of them."),
    }),
    skipped: z.strictObject({ total: fields.countOrZero }),
    history_truncated: z
      .boolean()
      .describe("Windows count up again because rows went from the old end of the log."),
    metrics: z.array(
      z.discriminatedUnion("scope", [
        z.strictObject({
          ...reading,
          scope: z.literal("global"),
          project: z.null(),
          effective: z.null(),
        }),
        z.strictObject({
          ...reading,
          scope: z.literal("project"),
          project: fields.project,
          effective: fields.effective.nullable(),
        }),
      ]),
    ),
  })
  .meta({
    title: "snapshot",
    description: "The current values of every scope: `metrics snapshot --json` and /snapshot.json.",
  });
