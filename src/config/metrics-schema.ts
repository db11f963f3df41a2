/** The shape of the configuration file. Each error is an expectation, to be read after "it must be". */
import { z } from "zod";
import { MAX_WINDOW, METRIC_NAMES } from "../core/metric.ts";
import { WORD } from "../postgres/names.ts";

const GATE_NAME = /^[a-z_][a-z0-9_$]{0,62}$/;

const RECORD =
  '[], ["global"] or ["global", "project"]: the order of the global rows is the order of the merges';
const VERDICTS = 'a list of verdicts, such as ["rebase_conflict"]; leave it out for just that one';
/** Bytes of them as JSON: every row carries them, and a row of ours is small. */
const MOST_VERDICTS = 16_384;

/** A string, without the character that PostgreSQL cannot store. */
const word = (expectation: string) =>
  z.custom<string>((value) => typeof value === "string" && /^[^\0]{1,512}$/u.test(value), expectation);

/** A word that a statement compares with. */
const rowWord = (expectation: string) =>
  z.custom<string>((value) => typeof value === "string" && WORD.test(value), expectation);

const merge = z.strictObject(
  {
    kind: rowWord("the kind of a transition row, such as phase.transition").refine(
      (kind) => !kind.startsWith("metric."),
      "a kind that the orchestrator writes; metric.* rows are our own",
    ),
    target: rowWord("the target of a transition that merges, such as merged"),
  },
  'an object such as {"kind": "phase.transition", "target": "merged"}',
);

const window = z.custom<number>(
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_WINDOW,
  `a whole number of merges from 1 to ${MAX_WINDOW}`,
);

const record = z
  .array(z.enum(["global", "project"], RECORD), RECORD)
  .refine(
    (scopes) => (scopes.length === 0 || scopes.includes("global")) && new Set(scopes).size === scopes.length,
    RECORD,
  )
  .transform((scopes) => scopes.toSorted());

const ratio = z.custom<number>(
  (value) => typeof value === "number" && value >= 0 && value <= 1,
  "a number from 0 to 1",
);

const gate = z
  .strictObject(
    {
      name: z.custom<string>(
        (value) => typeof value === "string" && GATE_NAME.test(value),
        "a plain lower-case name, such as trust",
      ),
      upper: ratio,
      lower: ratio,
    },
    'an object such as {"name": "trust", "upper": 0.85, "lower": 0.7}; leave it out for no gate',
  )
  .refine((bounds) => bounds.lower <= bounds.upper, {
    path: ["lower"],
    error: "at most upper: a gate rises at upper and falls below lower",
  });

const METRIC = 'an object such as {"window": 100, "record": ["global"]}';

/** Gates stand on ratios only; only one metric looks at verdicts. */
const metric = {
  first_pass_merge_rate: z.strictObject({ window, record, gate: gate.optional() }, METRIC),
  rebase_conflict_rate: z.strictObject(
    {
      window,
      record,
      gate: gate.optional(),
      verdicts: z
        .array(word(VERDICTS), VERDICTS)
        .min(1, VERDICTS)
        .refine(
          (verdicts) => Buffer.byteLength(JSON.stringify(verdicts)) <= MOST_VERDICTS,
          `verdicts that take at most ${MOST_VERDICTS} bytes together, as every row carries them`,
        )
        .optional(),
    },
    METRIC,
  ),
  p95_attempts_to_merge: z.strictObject({ window, record }, METRIC),
};

/** All metrics are computed, and so need a window; a metric with an empty `record` is shown only. */
const metrics = z
  .strictObject(metric, `an object with a member for each of ${METRIC_NAMES.join(", ")}`)
  .refine((named) => METRIC_NAMES.some((name) => named[name].record.length > 0), {
    error: "an object in which at least one metric is recorded: its rows are the order of the merges",
  })
  .refine(
    ({ first_pass_merge_rate: one, rebase_conflict_rate: other }) =>
      one.gate?.name !== other.gate?.name || !one.gate,
    {
      error: "an object in which each gate has a name of its own: whoever acts on a crossing goes by it",
    },
  );

export const METRICS_FILE = z.strictObject(
  { merge: merge.optional(), metrics },
  'an object with "metrics", and optionally "merge"',
);

/** The members that may stand at a path: what an unknown one is compared with. */
export function knownMembers(path: readonly PropertyKey[]): string[] {
  const [top, name, part] = path;
  if (top === undefined) return Object.keys(METRICS_FILE.shape);
  if (top === "merge") return Object.keys(merge.shape);
  if (part === "gate") return Object.keys(gate.shape);
  const known = METRIC_NAMES.find((each) => each === name);
  return known === undefined ? [...METRIC_NAMES] : Object.keys(metric[known].shape);
}
