/** Settings to simulate: some of them changed on the command line. */
import { CATALOGUE } from "../core/catalogue.ts";
import { MAX_WINDOW, type MetricSettings } from "../core/metric.ts";
import { Failed } from "../failed.ts";
import { metricNamed } from "./named.ts";

export type Changes = {
  /** `name=value`, where the name is a metric's, the beginning of one, or its gate's. */
  readonly window: readonly string[];
  readonly upper: readonly string[];
  readonly lower: readonly string[];
  /** Separated by commas. */
  readonly verdicts?: string;
};

const EXAMPLES = { window: "first_pass_merge_rate=30", upper: "trust=0.9", lower: "trust=60%" } as const;

/** @throws Failed */
export function otherSettings(metrics: readonly MetricSettings[], changes: Changes): MetricSettings[] {
  const changed = [...metrics];
  for (const flag of ["window", "upper", "lower"] as const) {
    for (const pair of changes[flag]) {
      const [, name, value] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
      if (name === undefined || value === undefined)
        throw refusal(flag, pair, `a metric or gate and a value, such as ${EXAMPLES[flag]}`);
      const meant = metricNamed(name, changed);
      const index = changed.findIndex((one) => one.name === meant);
      const metric = changed[index] as MetricSettings;
      if (flag === "window") changed[index] = { ...metric, window: windowOf(value) };
      else if (metric.gate !== null)
        changed[index] = { ...metric, gate: { ...metric.gate, [flag]: ratioOf(flag, value) } };
      else {
        const gates = changed.flatMap(({ gate }) => gate?.name ?? []).join(", ");
        throw new Failed(2, `--${flag} names "${metric.name}": it has no gate; there are ${gates}`);
      }
    }
  }
  for (const { name, gate } of changed) {
    if (gate !== null && gate.lower > gate.upper)
      throw new Failed(
        2,
        `${name}: lower is ${gate.lower}, above upper ${gate.upper}: a gate rises at upper and falls below lower`,
      );
  }
  if (changes.verdicts === undefined) return changed;
  const verdicts = verdictsOf(changes.verdicts);
  return changed.map((metric) => (CATALOGUE[metric.name].looksAtVerdicts ? { ...metric, verdicts } : metric));
}

function refusal(flag: keyof Changes, given: string, expected: string): Failed {
  return new Failed(2, `--${flag} is ${JSON.stringify(given)}: it must be ${expected}`);
}

function windowOf(text: string): number {
  const window = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (window >= 1 && window <= MAX_WINDOW) return window;
  throw refusal("window", text, `a whole number of merges from 1 to ${MAX_WINDOW}`);
}

function verdictsOf(text: string): string[] {
  const verdicts = text.split(",").map((verdict) => verdict.trim());
  if (!verdicts.includes("")) return verdicts;
  throw refusal("verdicts", text, "verdicts separated by commas, such as rebase_conflict,needs_rebase");
}

function ratioOf(flag: "upper" | "lower", text: string): number {
  const number = /^([0-9]+(?:\.[0-9]+)?)%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  const ratio = text.endsWith("%") ? Number(`${number}e-2`) : number;
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw refusal(flag, text, "a number from 0 to 1, or a percentage");
}
