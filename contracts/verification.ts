/** The verification document, as strictly as it is written. */
import { z } from "zod";
import { DIFFERENCE_KINDS, type DifferenceKind } from "../src/core/difference.ts";
import * as fields from "./fields.ts";

const KINDS = Object.keys(DIFFERENCE_KINDS) as [DifferenceKind, ...DifferenceKind[]];

const difference = z.strictObject({
  kind: fields.growing(KINDS),
  row_id: fields.id.nullable().describe("The row of the log; null where the row is missing."),
  event_id: z.string().nullable().describe("The merge's transition row, as the row says."),
  metric: fields.metricName.nullable(),
  scope: z.enum(["global", "project"]).nullable(),
  project: z.string().nullable(),
  seq: fields.count.nullable(),
  recorded: z.string().describe("What the log says, for a person."),
  expected: z.string().describe("What it should say, for a person."),
});

const facts = z
  .strictObject({
    project: z.string().nullable(),
    attempts: z.string().nullable().describe("As text, because today's value may not be a number."),
    last_verdict: z.string().nullable(),
    merged_at: fields.moment.nullable(),
  })
  .nullable();

const counts = z.strictObject({
  rows: fields.countOrZero.describe("Rows of kind metric.*"),
  merges: fields.countOrZero.describe("Merges that have rows."),
  metric_rows: fields.countOrZero,
  crossings: fields.countOrZero,
  skipped: fields.countOrZero,
  checkpoints: fields.countOrZero,
  unmarked: fields.countOrZero.describe("Rows without the daemon's marker."),
  not_judged: fields.countOrZero.describe("Values whose merges are no longer all known."),
  other_bounds: fields.countOrZero.describe("Rows written under other bounds than today's."),
  committed: fields.countOrZero.describe("Transitions to merged."),
  duplicates: fields.countOrZero.describe(
    "Duplicates: later merges of recorded work items, which do not count.",
  ),
  waiting: fields.countOrZero.describe("Due, and not recorded yet."),
  pruned: fields.countOrZero.describe(
    "Taken as recorded by the newest checkpoint or the daemon's oldest row: their own rows are gone.",
  ),
  drifted: fields.countOrZero.describe("Recorded with facts that differ from the work item's today."),
  without_transition: fields.countOrZero.describe(
    "Recorded merges whose transition is gone from the old end.",
  ),
});

export const verification = z
  .strictObject({
    schema_version: fields.schemaVersion,
    as_of: z.strictObject({ ...fields.asOf, seq: fields.asOf.seq.nullable() }),
    verified: z.boolean().describe("True where there are no differences."),
    counts,
    history_truncated: z.boolean().describe("Rows are gone from the old end of the log."),
    differences: z.strictObject({
      total: fields.countOrZero,
      by_kind: z.strictObject(
        Object.fromEntries(KINDS.map((kind) => [kind, fields.countOrZero.describe(DIFFERENCE_KINDS[kind])])),
      ),
      first: z.array(difference).describe("The first ones; --limit says how many."),
    }),
    drifted: z
      .array(
        z.strictObject({
          event_id: fields.id,
          work_item_id: fields.workItemId.nullable(),
          recorded: facts,
          now: facts.describe("Null where the work item no longer exists."),
        }),
      )
      .describe(
        "The first work items whose facts have changed since. That is not a difference: recorded facts are final.",
      ),
  })
  .describe("Every recorded number against the recorded facts: `metrics verify --json`.");
