/**
 * Turns the daemon's log lines into what a person wants to follow: merges summed up, everything else one line each,
 * crossings and warnings always.
 */
import { styleText } from "node:util";
import { safe } from "../src/text/safe.ts";

/** A line of the daemon's log, as far as it is looked at here. */
type LogLine = Readonly<Record<string, unknown>>;

/** Printed elsewhere in the demo, or of no interest to a spectator. */
const SILENT = new Set([
  "daemon.starting",
  "http.listening",
  "restore.started",
  "backlog.started",
  "batch.recorded",
  "checkpoint.written",
  "reconciliation.completed",
  "shutdown.started",
]);
const ALWAYS_THERE = new Set(["level", "time", "service", "version", "instance", "event", "msg"]);

export type Narrator = {
  /** The lines to print for one line of the log; mostly none or one. */
  readonly read: (line: string) => string[];
  /** One line for every so many merges; 1 for each. */
  readonly summarise: (merges: number) => void;
};

export function narrator(): Narrator {
  let every = 10;
  let merges = 0;
  let late = 0;
  let repeats = 0;

  function merge(line: LogLine): string[] {
    merges += 1;
    if (line["late"] === true) late += 1;
    if (merges % every !== 0) return [];
    const values = asRecord(line["values"]);
    const figures = [
      `first pass ${percent(values["first_pass_merge_rate"]).padStart(6)}`,
      `conflicts ${percent(values["rebase_conflict_rate"]).padStart(5)}`,
      `p95 ${count(values["p95_attempts_to_merge"])}`,
    ];
    const asides = [
      ...some(late, "late"),
      ...some(repeats, repeats === 1 ? "repeat ignored" : "repeats ignored"),
    ];
    late = 0;
    repeats = 0;
    const what = every === 1 ? `  ${safe(String(line["project"]), 20).padEnd(12)}` : "";
    return [
      `merge ${String(line["seq"]).padStart(4)}${what}  ${figures.join("  ")}  ${asides.join(", ")}`.trimEnd(),
    ];
  }

  function read(text: string): string[] {
    const line = parse(text);
    if (line === null) return [safe(text, 200)];
    switch (line["event"]) {
      case "merge.recorded":
        return merge(line);
      case "merge.duplicate_ignored":
        repeats += 1;
        return [];
      case "metric.defined":
        return [`${nameOf(line)} is defined: ${amount(line["metric"], line["value"])}`];
      case "threshold.crossed":
        return [crossing(line)];
    }
    const loud = line["level"] === "warn" || line["level"] === "error" || line["level"] === "fatal";
    if (!loud && SILENT.has(String(line["event"]))) return [];
    return [loud ? paint(line["level"] === "warn" ? "yellow" : "red", sentence(line)) : sentence(line)];
  }

  return {
    read,
    summarise(number) {
      every = number;
    },
  };
}

function crossing(line: LogLine): string {
  const to = String(line["to"]);
  const where = line["scope"] === "project" ? ` of ${safe(String(line["project"]), 40)}` : "";
  const bound = to === "high" ? `up at >= ${percent(line["upper"])}` : `down below ${percent(line["lower"])}`;
  const text =
    `${to === "high" ? "▲" : "▼"} ${String(line["gate"])}${where}: ${String(line["from"])} → ${to.toUpperCase()}   ` +
    `${String(line["metric"])} ${percent(line["value"])} (${bound})`;
  return paint(line["permissive"] === true ? "green" : "yellow", text);
}

function nameOf(line: LogLine): string {
  const metric = safe(String(line["metric"]), 40);
  return line["scope"] === "project" ? `${metric} of ${safe(String(line["project"]), 40)}` : metric;
}

/** The message and the fields that are its own. */
function sentence(line: LogLine): string {
  const fields = Object.entries(line)
    .filter(([name, value]) => !ALWAYS_THERE.has(name) && value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return safe([line["msg"] ?? line["event"], ...fields].map(String).join("  "), 200);
}

function amount(metric: unknown, value: unknown): string {
  return metric === "p95_attempts_to_merge" ? count(value) : percent(value);
}

function percent(value: unknown): string {
  return typeof value === "number" ? `${(value * 100).toFixed(1)}%` : "–";
}

function count(value: unknown): string {
  return typeof value === "number" ? String(value) : "–";
}

function some(number: number, what: string): string[] {
  return number === 0 ? [] : [`${number} ${what}`];
}

/** Only where the terminal shows colours. */
export function paint(colour: Parameters<typeof styleText>[0], text: string): string {
  return styleText(colour, text, { stream: process.stdout });
}

function parse(text: string): LogLine | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as LogLine) : null;
  } catch {
    return null;
  }
}

function asRecord(value: unknown): LogLine {
  return typeof value === "object" && value !== null ? (value as LogLine) : {};
}
