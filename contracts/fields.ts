/** Fields of events and documents. Strict here; `json-schema.ts` publishes what a reader may rely on. */
import { z } from "zod";
import { MAX_ATTEMPTS, MAX_PROJECT_LENGTH } from "../src/core/merge.ts";
import { METRIC_NAMES } from "../src/core/metric.ts";
import { SCHEMA_VERSION } from "../src/core/metric-event.ts";

/** A list that may grow within version 1: published as a string with examples, so that a newer word is not an error. */
export const growing = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words).meta({ growing: true });

export const schemaVersion = z
  .literal(SCHEMA_VERSION)
  .describe("Additive changes keep the version; readers ignore fields that they do not know.");

export const id = z
  .string()
  .regex(/^-?[0-9]{1,19}$/)
  .describe("A bigint as decimal text: it may be larger than a double holds exactly.");

export const workItemId = z.string().describe("work_items.id as text, whatever its type.");

export const moment = z
  .string()
  .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/)
  .meta({ format: "date-time" })
  .describe("UTC, milliseconds.");

/** Never cut or normalised. */
export const project = z
  .string()
  .min(1)
  // JSON Schema counts characters; zod's own limit would count UTF-16 units.
  .meta({ maxLength: MAX_PROJECT_LENGTH })
  .describe("Any string; compared byte for byte.");

export const count = z.int().min(1);
export const countOrZero = z.int().min(0);
export const ratio = z.number().min(0).max(1);
export const attempts = z.int().min(1).max(MAX_ATTEMPTS);
export const state = z.enum(["unknown", "high", "low"]);
export const metricName = growing(METRIC_NAMES);

export const n = countOrZero.describe("Merges in the window so far.");
export const window = count.describe("Merges in a full window.");

export const bound = {
  upper: ratio.describe("value >= upper: high"),
  lower: ratio.describe("value < lower: low"),
};

/** A crossing: its merge, and when that took place. */
export const crossed = { event_id: id, since: moment.nullable() };

/** A gate as it is configured. */
export const gate = z.strictObject({ name: z.string().min(1), ...bound });

export const value = z
  .number()
  .nullable()
  .describe("A ratio 0-1 or a number of attempts; null (undefined) until n = window.");

/** The newest merge that a document includes, and when it was made. */
export const asOf = {
  seq: countOrZero.describe("Merges recorded."),
  event_id: id.nullable(),
  merged_at: moment.nullable(),
  generated_at: moment,
};

export const lag = z.strictObject({
  merges: countOrZero.describe("Merges due and not recorded; they are in no value."),
  seconds: z.number().min(0).nullable().describe("Age of the oldest of them."),
});

export const effective = z
  .strictObject({
    scope: z
      .enum(["global", "project"])
      .nullable()
      .describe("Whose reading it is; null while neither is defined."),
    value: ratio.nullable(),
    state,
  })
  .describe(
    "What a policy about the project must use: its own reading once defined, else the global one, else nothing.",
  );

/** The same shape for all merges, where `project` is null, and for one project. */
export function ofEitherScope(shape: z.ZodRawShape, ofAll: z.ZodRawShape = {}, ofProject = ofAll) {
  return z.discriminatedUnion("scope", [
    z.strictObject({ ...shape, scope: z.literal("global"), project: z.null(), ...ofAll }),
    z.strictObject({ ...shape, scope: z.literal("project"), project, ...ofProject }),
  ]);
}
