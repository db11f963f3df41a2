/** The configuration file: what a merge is, and the windows, scopes, verdicts and gates of the metrics. */
import type { z } from "zod/mini";
import { CATALOGUE, DEFAULT_VERDICTS } from "../core/catalogue.ts";
import type { Gate } from "../core/gate.ts";
import { METRIC_NAMES, type MetricName, type MetricSettings } from "../core/metric.ts";
import type { MergeRule } from "../postgres/merge-source.ts";
import { METRICS_FILE } from "./metrics-schema.ts";
import { readNamedFile } from "./named-file.ts";
import { suggestion } from "./nearest.ts";
import { shown } from "./shown.ts";

export type MetricsFile = { readonly merge: MergeRule; readonly metrics: readonly MetricSettings[] };

const DEFAULT_MERGE: MergeRule = { kind: "phase.transition", target: "merged" };

/**
 * Reads and checks the file.
 * @param source what named the path, for the message. @param problems collects what is wrong.
 * @returns null if anything is wrong.
 */
export function readMetricsFile(path: string, source: string, problems: string[]): MetricsFile | null {
  const text = readNamedFile(path, source, problems);
  if (text === null) return null;
  const document = parseJson(text);
  if ("problem" in document) {
    problems.push(`${path}: ${document.problem}`);
    return null;
  }
  const parsed = METRICS_FILE.safeParse(document.value);
  if (!parsed.success) {
    problems.push(...describe(parsed.error.issues, document.value).map((problem) => `${path}: ${problem}`));
    return null;
  }
  const { merge = DEFAULT_MERGE, metrics } = parsed.data;
  return { merge, metrics: METRIC_NAMES.map((name) => settingsOf(name, metrics[name])) };
}

type FileMetric = Pick<MetricSettings, "window" | "record"> & {
  readonly gate?: Gate | undefined;
  readonly verdicts?: readonly string[] | undefined;
};

function settingsOf(name: MetricName, metric: FileMetric): MetricSettings {
  const { window, record, gate = null, verdicts = DEFAULT_VERDICTS } = metric;
  return { name, window, record, gate, verdicts: CATALOGUE[name].looksAtVerdicts ? verdicts : null };
}

/** Reports where the JSON breaks, never its text: the path may name the file of a secret. */
function parseJson(text: string): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: JSON.parse(text.replace(/^\ufeff/, "")) };
  } catch (error) {
    const place = / \(line \d+ column \d+\)/.exec(String(error))?.[0] ?? "";
    return { problem: `it must be JSON, and is not${place}` };
  }
}

/** One sentence for each wrong member: its name, its value, and what it must be. */
function describe(issues: readonly z.core.$ZodIssue[], document: unknown): string[] {
  const problems = new Map<string, string>();
  const add = (path: readonly PropertyKey[], problem: string): void => {
    const member = path.map((key) => (/^\w+$/.test(String(key)) ? key : JSON.stringify(key))).join(".");
    if (!problems.has(member)) problems.set(member, `${member} ${problem}`.trimStart());
  };
  for (const issue of issues) {
    const { path, message } = issue;
    if (issue.code === "unrecognized_keys") {
      // The schema's message about unknown members is the list of those that are known.
      for (const key of issue.keys)
        add([...path, key], `is not known here${suggestion(key, message.split(" "))}`);
      continue;
    }
    const value = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], document);
    const is = value === undefined ? "is missing" : `is ${shown(value)}`;
    add(path, `${path.length === 0 ? "the document is something else" : is}: it must be ${message}`);
  }
  return [...problems.values()];
}
