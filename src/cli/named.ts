/** Metrics and projects as an operator names them. */
import { nearest } from "../config/nearest.ts";
import type { Config } from "../config.ts";
import type { MetricName, MetricSettings } from "../core/metric.ts";
import { Failed } from "../failed.ts";
import { safe } from "../text/safe.ts";
import type { Flags } from "./options.ts";
import type { Cli } from "./verb.ts";

/** The metric with this name or gate name, or the only one whose names begin with it. @throws Failed */
export function metricNamed(text: string, metrics: readonly MetricSettings[]): MetricName {
  const names = new Map<string, MetricName>();
  for (const { name, gate } of metrics) {
    names.set(name, name);
    if (gate !== null) names.set(gate.name, name);
  }
  const exact = names.get(text);
  if (exact !== undefined) return exact;
  const begun = new Set([...names].flatMap(([name, metric]) => (name.startsWith(text) ? metric : [])));
  const [only] = begun;
  if (text !== "" && only !== undefined) {
    if (begun.size === 1) return only;
    throw new Failed(2, `'${safe(text)}' begins several metrics: ${[...begun].join(", ")}`);
  }
  const meant = nearest(text, names.keys()) ?? [...names.keys()].find((name) => name.includes(text));
  const known = metrics.map(({ name, gate }) => (gate === null ? name : `${name} (${gate.name})`));
  const hint =
    text === "" || meant === undefined ? `known are ${known.join(", ")}` : `did you mean ${meant}?`;
  throw new Failed(2, `unknown metric '${safe(text)}'; ${hint}`);
}

/**
 * Reports on standard error which projects of `--project` have no merges: probably they are misspelt.
 * @param isShown whether the output has something of a project.
 * @param known every project with merges. By default the log is read if a project is not shown.
 * @returns the exit code.
 */
export async function reportUnknownProjects(
  { project, strict = false, timeout: timeoutMs }: Flags,
  config: Config,
  { terminal, work }: Cli,
  isShown: (project: string) => boolean,
  known?: readonly string[],
): Promise<number> {
  const notShown = [...new Set(project)].filter((name) => !isShown(name));
  if (notShown.length === 0) return 0;
  const projects = known ?? (await work.readSnapshot(config, { timeoutMs })).projects;
  const unknown = notShown.filter((name) => !projects.includes(name));
  for (const name of unknown) {
    const meant = nearest(name, projects);
    const hint = meant === null ? "" : `; did you mean ${safe(meant)}?`;
    await terminal.err(`project ${safe(name)}: no merges recorded${hint}\n`);
  }
  return strict && unknown.length > 0 ? 1 : 0;
}
