/** The configuration file: what a merge is, and the windows, scopes, verdicts and gates of the metrics. */
import { readFileSync } from "node:fs";
import type { z } from "zod";
import { CATALOGUE, DEFAULT_VERDICTS } from "../core/catalogue.ts";
import { METRIC_NAMES, type MetricName, type MetricSettings } from "../core/metric.ts";
import type { MergeRule } from "../postgres/merge-source.ts";
import { fileProblem } from "./file-problem.ts";
import { knownMembers, METRICS_FILE } from "./metrics-schema.ts";
import { nearest } from "./nearest.ts";
import { shown } from "./shown.ts";

export type MetricsFile = { readonly merge: MergeRule; readonly metrics: readonly MetricSettings[] };

const DEFAULT_MERGE: MergeRule = { kind: "phase.transition", target: "merged" };

/**
 * Reads and checks the file.
 * @param source what named the path, for the message. @param problems collects what is wrong.
 * @returns null where anything is wrong.
 */
export function readMetricsFile(path: string, source: string, problems: string[]): MetricsFile | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8").replace(/^\ufeff/, "");
  } catch (error) {
    problems.push(`${source} is ${shown(path)}: the file cannot be read (${fileProblem(error)})`);
    return null;
  }
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

type FileMetric = z.output<typeof METRICS_FILE>["metrics"][MetricName];

function settingsOf(name: MetricName, metric: FileMetric): MetricSettings {
  const gate = "gate" in metric ? (metric.gate ?? null) : null;
  const verdicts = "verdicts" in metric ? (metric.verdicts ?? DEFAULT_VERDICTS) : DEFAULT_VERDICTS;
  const { looksAtVerdicts } = CATALOGUE[name];
  return {
    name,
    window: metric.window,
    record: metric.record,
    gate,
    verdicts: looksAtVerdicts ? verdicts : null,
  };
}

/** Says where the JSON breaks, never what stands there: the path may point at another file, a secret's even. */
function parseJson(text: string): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const place = /\(line \d+ column \d+\)/.exec(error instanceof Error ? error.message : "")?.[0];
    return { problem: `it must be JSON, and is not${place === undefined ? "" : ` ${place}`}` };
  }
}

/** One sentence for each wrong member: where, what stands there, and what it must be. */
function describe(issues: readonly z.core.$ZodIssue[], document: unknown): string[] {
  const sentences = new Map<string, string>();
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const member = nameOf([...issue.path, key]);
        sentences.set(member, `${member} is not known here${suggestion(key, knownMembers(issue.path))}`);
      }
      continue;
    }
    const member = nameOf(issue.path);
    const stands =
      issue.path.length === 0
        ? "the document is something else"
        : `${member} ${standing(document, issue.path)}`;
    if (!sentences.has(member)) sentences.set(member, `${stands}: it must be ${issue.message}`);
  }
  return [...sentences.values()];
}

function nameOf(path: readonly PropertyKey[]): string {
  return path.map((key) => (/^\w+$/.test(String(key)) ? String(key) : JSON.stringify(key))).join(".");
}

function standing(document: unknown, path: readonly PropertyKey[]): string {
  const value = path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | null)?.[key],
    document,
  );
  return value === undefined ? "is missing" : `is ${shown(value)}`;
}

function suggestion(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === null ? `; known are ${known.join(", ")}` : `: did you mean ${meant}?`;
}
