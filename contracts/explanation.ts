/** The explanation document, as strictly as it is written. */
import { z } from "zod";
import * as fields from "./fields.ts";
import { readingWith } from "./snapshot.ts";

const merge = z
  .strictObject({
    seq: fields.count.nullable().describe("Its place in the order of all merges."),
    event_id: fields.id.nullable(),
    work_item_id: fields.workItemId.nullable(),
    project: fields.project.nullable(),
    attempts: fields.attempts,
    last_verdict: z.string().nullable(),
    merged_at: fields.moment.nullable(),
    counted: z.boolean().nullable().describe("Whether it counts for the numerator; null for a percentile."),
  })
  .describe("Facts that are no longer known, because their rows are gone, are null.");

const explained = {
  merges: z.array(merge).describe("The merges of the window, oldest first."),
  leaves_next: merge
    .nullable()
    .describe("The merge that the next one pushes out; null while the window fills."),
  next: z
    .strictObject({ if_counted: fields.ratio.nullable(), if_not: fields.ratio.nullable() })
    .describe("The value after one further merge that counts, and after one that does not."),
  moves: z
    .array(
      z.strictObject({
        to: z.enum(["high", "low"]),
        bound: fields.ratio.describe("At least this to rise, less than this to fall."),
        reach: z
          .strictObject({
            merges: fields.count.describe("Further merges that it takes at least."),
            of_kind: fields.countOrZero.describe(
              "How many of these must count (to rise) or must not (to fall).",
            ),
          })
          .nullable()
          .describe("Null where no number of merges will do."),
      }),
    )
    .describe(
      "What it takes to reach the bounds of the states that the gate is not in. A project whose window fills between the bounds takes over the global state instead.",
    ),
};

export const explanation = z
  .strictObject({
    schema_version: fields.schemaVersion,
    as_of: z.strictObject(fields.asOf),
    lag: fields.lag,
    explanations: z.array(readingWith(explained)),
  })
  .describe("The merges behind each number, and what it takes to move its gate: `metrics explain --json`.");
