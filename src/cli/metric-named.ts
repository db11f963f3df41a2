/** Finds the metric that an operator means: by its name, by its gate's name, or by the beginning of either. */
import { nearest } from "../config/nearest.ts";
import type { MetricName, MetricSettings } from "../core/metric.ts";
import { safe } from "../text/safe.ts";

/** A usage error: nothing was contacted. */
class UnknownMetric extends Error {
  readonly exitCode = 2;
}

/** @throws UnknownMetric, with what was probably meant. */
export function metricNamed(text: string, metrics: readonly MetricSettings[]): MetricName {
  const names = new Map(
    metrics.flatMap(({ name, gate }) =>
      gate === null ? [[name, name] as const] : [[name, name] as const, [gate.name, name] as const],
    ),
  );
  const exact = names.get(text);
  if (exact !== undefined) return exact;
  const begun = [...names].filter(([name]) => name.startsWith(text)).map(([, metric]) => metric);
  const [only, ...others] = new Set(text === "" ? [] : begun);
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined)
    throw new UnknownMetric(`'${safe(text)}' begins several metrics: ${[only, ...others].join(", ")}`);
  const meant = nearest(text, names.keys()) ?? [...names.keys()].find((name) => name.includes(text));
  throw new UnknownMetric(
    `unknown metric '${safe(text)}'; ${
      meant === undefined || text === ""
        ? `known are ${metrics.map(withGate).join(", ")}`
        : `did you mean ${meant}?`
    }`,
  );
}

function withGate({ name, gate }: MetricSettings): string {
  return gate === null ? name : `${name} (${gate.name})`;
}
