/** Settings to simulate: today's or a file's, with some of them changed on the command line. */
import { CATALOGUE } from "../core/catalogue.ts";
import { MAX_WINDOW, type MetricSettings } from "../core/metric.ts";

export type Changes = {
  /** `name=value`, where the name is a metric's, the beginning of one, or its gate's. */
  readonly window: readonly string[];
  readonly upper: readonly string[];
  readonly lower: readonly string[];
  /** Separated by commas; null for no change. */
  readonly verdicts: string | null;
};

/** @returns the changed settings; @throws Error in words for whoever typed them. */
export function otherSettings(metrics: readonly MetricSettings[], changes: Changes): MetricSettings[] {
  const changed: MetricSettings[] = [...metrics];
  const apply = (
    flag: string,
    pairs: readonly string[],
    change: (metric: MetricSettings, value: string) => MetricSettings,
  ) => {
    for (const pair of pairs) {
      const [, name, value] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
      if (name === undefined || value === undefined)
        throw new Error(
          `${flag} is ${JSON.stringify(pair)}: it must be a metric or gate and a value, such as ${EXAMPLES[flag]}`,
        );
      const index = indexOf(changed, name);
      if (index === -1)
        throw new Error(
          `${flag} names ${JSON.stringify(name)}: it must be one of ${changed.map(namesOf).join(", ")}`,
        );
      changed[index] = change(changed[index] as MetricSettings, value);
    }
  };
  apply("--window", changes.window, (metric, value) => ({ ...metric, window: windowOf(value) }));
  for (const bound of ["upper", "lower"] as const) {
    apply(`--${bound}`, changes[bound], (metric, value) => {
      if (metric.gate === null)
        throw new Error(
          `--${bound} names ${JSON.stringify(metric.name)}: it has no gate; there are ${gatesOf(changed)}`,
        );
      return { ...metric, gate: { ...metric.gate, [bound]: ratioOf(`--${bound}`, value) } };
    });
  }
  for (const { name, gate } of changed) {
    if (gate !== null && gate.lower > gate.upper)
      throw new Error(
        `${name}: lower is ${gate.lower}, above upper ${gate.upper}: a gate rises at upper and falls below lower`,
      );
  }
  if (changes.verdicts === null) return changed;
  const verdicts = verdictsOf(changes.verdicts);
  return changed.map((metric) => (CATALOGUE[metric.name].looksAtVerdicts ? { ...metric, verdicts } : metric));
}

const EXAMPLES: Readonly<Record<string, string>> = {
  "--window": "first_pass_merge_rate=30",
  "--upper": "trust=0.9",
  "--lower": "trust=60%",
};

function indexOf(metrics: readonly MetricSettings[], name: string): number {
  const byGate = metrics.findIndex(({ gate }) => gate?.name === name);
  if (byGate !== -1) return byGate;
  const begun = metrics.filter((metric) => metric.name.startsWith(name));
  return begun.length === 1 ? metrics.findIndex((metric) => metric === begun[0]) : -1;
}

function namesOf({ name, gate }: MetricSettings): string {
  return gate === null ? name : `${name} (${gate.name})`;
}

function gatesOf(metrics: readonly MetricSettings[]): string {
  return metrics.flatMap(({ gate }) => gate?.name ?? []).join(", ");
}

function windowOf(text: string): number {
  const window = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (window >= 1 && window <= MAX_WINDOW) return window;
  throw new Error(
    `--window is ${JSON.stringify(text)}: it must be a whole number of merges from 1 to ${MAX_WINDOW}`,
  );
}

function verdictsOf(text: string): string[] {
  const verdicts = text.split(",").map((verdict) => verdict.trim());
  if (!verdicts.includes("")) return verdicts;
  throw new Error(
    `--verdicts is ${JSON.stringify(text)}: it must be verdicts separated by commas, such as rebase_conflict,needs_rebase`,
  );
}

function ratioOf(flag: string, text: string): number {
  const number = /^([0-9]+(?:\.[0-9]+)?)%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  const ratio = text.endsWith("%") ? Number(`${number}e-2`) : number;
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new Error(`${flag} is ${JSON.stringify(text)}: it must be a number from 0 to 1, or a percentage`);
}
