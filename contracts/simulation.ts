/** The simulation document, as strictly as it is written. */
import { z } from "zod";
import * as fields from "./fields.ts";

const ofStates = (each: z.ZodType<number>) => z.strictObject({ unknown: each, high: each, low: each });

const outcome = z.strictObject({
  window: fields.window,
  gate: fields.gate.nullable(),
  value: fields.value.describe("After the newest merge."),
  state: fields.state,
  merges: ofStates(fields.countOrZero).describe("Merges after which the gate was in this state."),
  seconds: ofStates(z.number().min(0)).describe(
    "Time in this state, from the date of the first merge to that of the latest one.",
  ),
  crossings: z.strictObject({ up: fields.countOrZero, down: fields.countOrZero }),
  agreement: z
    .strictObject({ compared: fields.countOrZero, equal: fields.countOrZero })
    .describe("Merges with a recorded state, and those of them with the same state here."),
});

export const simulation = z
  .strictObject({
    schema_version: fields.schemaVersion,
    as_of: z.strictObject(fields.asOf),
    history_truncated: z
      .boolean()
      .describe("Rows are gone from the old end: both begin with the rows that are left."),
    lines: z.array(
      z.strictObject({
        metric: fields.metricName,
        scope: z.enum(["global", "project"]),
        project: fields.project
          .nullable()
          .describe("Null for all merges, and in the scope of projects for all projects together."),
        today: outcome.nullable(),
        simulated: outcome.nullable().describe("Null where these settings do not record it."),
      }),
    ),
    crossings: z
      .array(
        z.strictObject({
          under: z.enum(["today", "simulated"]),
          metric: fields.metricName,
          scope: z.enum(["global", "project"]),
          project: fields.project.nullable(),
          seq: fields.count,
          event_id: fields.id,
          merged_at: fields.moment.nullable(),
          from: fields.state,
          to: z.enum(["high", "low"]),
          value: fields.value,
        }),
      )
      .describe("The newest thousand of each line."),
  })
  .describe("What other settings would have made of the recorded merges: `metrics simulate --json`.");
