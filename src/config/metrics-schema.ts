/**
 * The shape of the configuration file. Each error is an expectation, to be read after "it must be".
 *
 * By zod's small interface: of the large one all is loaded at each start, messages in 40 languages included.
 */
import * as z from "zod/mini";
import { MAX_WINDOW, METRIC_NAMES } from "../core/metric.ts";
import { WORD } from "../postgres/names.ts";

const GATE_NAME = /^[a-z_][a-z0-9_$]{0,62}$/;

const RECORD =
  '[], ["global"] or ["global", "project"]: the order of the global rows is the order of the merges';
/** PostgreSQL cannot store the character NUL. */
const VERDICT = /^[^\0]{1,512}$/u;
const VERDICTS = 'a list of verdicts, such as ["rebase_conflict"]; leave it out for just that one';
/** In bytes as JSON. Every row carries the verdicts, so they must be short. */
const MOST_VERDICTS = 16_384;

/** The message about an unknown member is the list of those that are known, with blanks between. */
function object<Shape extends z.core.$ZodShape>(shape: Shape, expectation: string) {
  const error = ({ code }: { readonly code: string }): string =>
    code === "unrecognized_keys" ? Object.keys(shape).join(" ") : expectation;
  return z.strictObject(shape, { error });
}

const text = (pattern: RegExp, expectation: string) =>
  z.string(expectation).check(z.regex(pattern, expectation));

const merge = object(
  {
    kind: text(WORD, "the kind of a transition row, such as phase.transition").check(
      z.refine(
        (kind) => !kind.startsWith("metric."),
        "a kind that the orchestrator writes; the daemon writes the metric.* rows",
      ),
    ),
    target: text(WORD, "the target of a transition that merges, such as merged"),
  },
  'an object such as {"kind": "phase.transition", "target": "merged"}',
);

const WINDOW = `a whole number of merges from 1 to ${MAX_WINDOW}`;
const window = z.int(WINDOW).check(z.gte(1, WINDOW), z.lte(MAX_WINDOW, WINDOW));

const record = z.pipe(
  z
    .array(z.enum(["global", "project"], RECORD), RECORD)
    .check(
      z.refine(
        (scopes) =>
          (scopes.length === 0 || scopes.includes("global")) && new Set(scopes).size === scopes.length,
        RECORD,
      ),
    ),
  z.transform((scopes) => scopes.toSorted()),
);

const RATIO = "a number from 0 to 1";
const ratio = z.number(RATIO).check(z.gte(0, RATIO), z.lte(1, RATIO));

const gate = object(
  { name: text(GATE_NAME, "a plain lower-case name, such as trust"), upper: ratio, lower: ratio },
  'an object such as {"name": "trust", "upper": 0.85, "lower": 0.7}; leave it out for no gate',
).check(
  z.refine((bounds) => bounds.lower <= bounds.upper, {
    path: ["lower"],
    error: "at most upper: a gate rises at upper and falls below lower",
  }),
);

const METRIC = 'an object such as {"window": 100, "record": ["global"]}';

/** Only ratios have gates, and only one metric looks at verdicts. */
const metric = {
  first_pass_merge_rate: object({ window, record, gate: z.optional(gate) }, METRIC),
  rebase_conflict_rate: object(
    {
      window,
      record,
      gate: z.optional(gate),
      verdicts: z.optional(
        z.array(text(VERDICT, VERDICTS), VERDICTS).check(
          z.minLength(1, VERDICTS),
          z.refine(
            (verdicts) => Buffer.byteLength(JSON.stringify(verdicts)) <= MOST_VERDICTS,
            `verdicts that take at most ${MOST_VERDICTS} bytes together, as every row carries them`,
          ),
        ),
      ),
    },
    METRIC,
  ),
  p95_attempts_to_merge: object({ window, record }, METRIC),
};

/** All metrics are computed, and so need a window. A metric with an empty `record` is shown, but not recorded. */
const metrics = object(metric, `an object with a member for each of ${METRIC_NAMES.join(", ")}`).check(
  z.refine(
    (named) => METRIC_NAMES.some((name) => named[name].record.length > 0),
    "an object in which at least one metric is recorded: its rows are the order of the merges",
  ),
  z.refine(
    ({ first_pass_merge_rate: one, rebase_conflict_rate: other }) =>
      one.gate?.name !== other.gate?.name || !one.gate,
    "an object in which each gate has a name of its own: consumers tell crossings apart by it",
  ),
);

export const METRICS_FILE = object(
  { merge: z.optional(merge), metrics },
  'an object with "metrics", and optionally "merge"',
);
