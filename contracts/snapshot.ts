/** The snapshot document, as strictly as it is written. */
import { z } from "zod";
import * as fields from "./fields.ts";

const gate = z.strictObject({
  name: z.string().min(1),
  state: fields.state,
  since: fields.moment
    .nullable()
    .describe(
      "merged_at of the merge at which it last crossed; null where it never did, or the date is not known.",
    ),
  ...fields.bound,
});

const reading = {
  metric: fields.metricName,
  value: fields.value,
  numerator: fields.countOrZero.nullable(),
  n: fields.n,
  window: fields.window,
  gate: gate.nullable(),
};

/** A metric of one scope, as it is now. @param more further fields. */
export const readingWith = (more: z.ZodRawShape) =>
  fields.ofEitherScope(
    reading,
    { effective: z.null(), ...more },
    { effective: fields.effective.nullable(), ...more },
  );

export const snapshot = z
  .strictObject({
    schema_version: fields.schemaVersion,
    as_of: z.strictObject(fields.asOf),
    daemon: z.strictObject({ running: fields.countOrZero.describe("Instances connected to the database.") }),
    lag: fields.lag,
    refused: z
      .strictObject({ total: fields.countOrZero })
      .describe("Merges that events_outbox refused when they were last tried; the daemon retries them."),
    skipped: z.strictObject({ total: fields.countOrZero }),
    history_truncated: z
      .boolean()
      .describe("Windows count up again because rows are gone from the old end of the log."),
    projects: z.array(fields.project).describe("Every project, most recently merged first."),
    metrics: z
      .array(readingWith({}))
      .describe("Of all merges, then of each project in the order of their names' code points."),
  })
  .describe("The current values of every scope: `metrics snapshot --json` and /snapshot.json.");
