/** An explanation for people: the reading, its gate, the window at a glance, what leaves next, and what could move the gate. */
import { CATALOGUE, isRatio } from "../core/catalogue.ts";
import type { ExplainedMerge, Explanation, Move } from "../core/explanation.ts";
import type { MetricName } from "../core/metric.ts";
import { boundText, count, moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { listLines, NAME_WIDTH } from "./explain-list.ts";
import { headingText, valueText } from "./reading-text.ts";
import type { Means } from "./terminal.ts";

export type ExplainView = Means & {
  /** Columns that the list of the merges may take; null for no list. */
  readonly listColumns: number | null;
  /** Merges of the list, the newest ones. */
  readonly listed: number;
};

/** The merges that count for a ratio, and those that do not. */
const KINDS: Readonly<Record<MetricName, { readonly counted: string; readonly not: string }>> = {
  first_pass_merge_rate: { counted: "at the first pass (attempts = 1)", not: "with more than one attempt" },
  rebase_conflict_rate: { counted: "with a rebase conflict", not: "without a rebase conflict" },
  p95_attempts_to_merge: { counted: "", not: "" },
};

export function renderExplanations(explanations: readonly Explanation[], view: ExplainView): string {
  return explanations.map((one) => `${linesOf(one, view).join("\n")}\n`).join("\n");
}

function linesOf(explanation: Explanation, view: ExplainView): string[] {
  const { metric, merges, gate } = explanation;
  const lines = [headingText(explanation, explanation, gate, view.colour)];
  if (merges.length === 0) lines.push("  no merges recorded yet");
  lines.push(
    ...(isRatio(metric) ? ratioLines(explanation) : percentileLines(explanation)),
    ...gateLines(explanation),
    ...windowLines(explanation, view),
    ...nextLines(explanation),
    ...explanation.moves.map((move) => moveLine(explanation, move)),
    ...takeOverLine(explanation),
  );
  return view.listColumns === null || merges.length === 0
    ? lines
    : [...lines, "", ...listOf(merges, view.listColumns, view)];
}

function listOf(merges: readonly ExplainedMerge[], columns: number, view: ExplainView): string[] {
  const listed = view.listed === 0 ? [] : merges.slice(-view.listed);
  const older = merges.length - listed.length;
  return [
    ...(older === 0 ? [] : [`  ${count(older, "older merge")} (--limit)`]),
    ...(listed.length === 0 ? [] : listLines(listed, columns, view.colour)),
  ];
}

function ratioLines({ metric, numerator, n, window }: Explanation): string[] {
  const share = `  ${numerator} of ${count(n, "merge")} ${KINDS[metric].counted}`;
  return n < window ? [share, undefinedLine(window - n)] : [share];
}

function undefinedLine(missing: number): string {
  return `  undefined: ${count(missing, "more merge")} needed`;
}

/** How often each number of attempts occurs, and where the value is among them. */
function percentileLines({ merges, value, n, window }: Explanation): string[] {
  if (n === 0) return [];
  const often = [...Map.groupBy(merges, ({ attempts }) => attempts)].toSorted(([a], [b]) => a - b);
  const above = merges.filter(({ attempts }) => value !== null && attempts > value).length;
  return [
    `  merges by attempts: ${often.map(([attempts, { length }]) => `${attempts}: ${length}`).join(", ")}`,
    value === null
      ? undefinedLine(window - n)
      : `  at least 95% of the merges took ${count(value, "attempt")} or fewer; ${above} of ${n} took more`,
  ];
}

function gateLines({ metric, gate, effective }: Explanation): string[] {
  if (gate === null) return [];
  const since = gate.since === null ? "" : ` since ${safe(moment(gate.since, "minutes"))}`;
  const permissive = gate.state === CATALOGUE[metric].permissive ? ", permissive" : "";
  const bounds = `up >= ${boundText(gate.upper)}, down < ${boundText(gate.lower)}`;
  const line = `  gate ${gate.name}: ${gate.state.toUpperCase()}${since}${permissive}; ${bounds}`;
  if (effective === null || effective.scope === "project") return [line];
  const used = `${valueText(metric, effective.value, gate)} ${effective.state.toUpperCase()}`;
  return effective.value === null
    ? [line, "  policy: undefined, as the global reading is"]
    : [line, `  policy uses the global reading: ${used}`];
}

/** One sign for each merge, in groups of ten. */
function windowLines({ merges }: Explanation, { ascii, columns }: ExplainView): string[] {
  if (merges.length === 0) return [];
  const [yes, no] = ascii ? ["#", "."] : ["■", "□"];
  const signs = merges.map(({ counted, attempts }) =>
    counted === null ? (attempts > 9 ? "+" : String(attempts)) : counted ? yes : no,
  );
  const perLine = 10 * Math.min(5, Math.max(1, Math.floor((columns - 4 + 1) / 11)));
  const lines = pieces(signs, perLine).map((line) =>
    pieces(line, 10)
      .map((group) => group.join(""))
      .join(" "),
  );
  const legend = merges[0]?.counted === null ? "attempts of each" : `${yes} counts, ${no} does not`;
  return [`  window, oldest first (${legend}):`, ...lines.map((line) => `    ${line}`)];
}

function pieces<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, nth) =>
    items.slice(nth * size, (nth + 1) * size),
  );
}

function nextLines({ metric, leaves_next: leaving, next, gate }: Explanation): string[] {
  const lines: string[] = [];
  if (leaving !== null) lines.push(`  leaves next: ${mergeText(leaving)}`);
  if (next.if_counted !== null && next.if_not !== null) {
    const [counted, not] = [next.if_counted, next.if_not].map((value) => valueText(metric, value, gate));
    lines.push(`  after the next merge: ${counted} if it counts, ${not} if not`);
  }
  return lines;
}

function mergeText(merge: ExplainedMerge): string {
  const { seq, event_id: event, attempts, counted } = merge;
  const counts = counted === null ? "" : counted ? ": counts" : ": does not count";
  if (event === null) return `a merge whose rows are gone, ${count(attempts, "attempt")}${counts}`;
  const [item, project, verdict] = [
    merge.work_item_id ?? "none",
    merge.project ?? "",
    merge.last_verdict ?? "no verdict",
  ].map((text) => safe(text, NAME_WIDTH));
  return `merge ${seq ?? "?"} (event ${safe(event)}, work item ${item}, ${project}, ${count(attempts, "attempt")}, ${verdict})${counts}`;
}

function moveLine({ metric, window }: Explanation, { to, bound, reach }: Move): string {
  const side = `  ${to.toUpperCase()} (${to === "high" ? ">=" : "<"} ${boundText(bound)})`;
  if (reach === null) return `${side} cannot be reached`;
  const takes = `${side} takes at least ${count(reach.merges, "more merge")}${reach.merges === window ? ", a whole window" : ""}`;
  if (reach.of_kind === 0) return `${takes}, of any kind`;
  const { counted, not } = KINDS[metric];
  const some = reach.of_kind < reach.merges ? `${reach.of_kind} of them ` : reach.merges === 1 ? "" : "all ";
  return `${takes}, ${some}${to === "high" ? counted : not}`;
}

/** A project's gate can also leave `unknown` between the bounds: when the window fills there, it takes over the global state. */
function takeOverLine({ scope, value, gate }: Explanation): string[] {
  return scope === "project" && value === null && gate?.state === "unknown"
    ? ["  if its window fills between the bounds, it takes over the global state"]
    : [];
}
