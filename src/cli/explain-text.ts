/** An explanation for people: the reading, its gate, the window at a glance, what leaves next, and what could move the gate. */
import { CATALOGUE, isRatio } from "../core/catalogue.ts";
import type { ExplainedMerge, Explanation, Move } from "../core/explanation.ts";
import type { MetricName } from "../core/metric.ts";
import { boundText, count, moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { listLines, NAME_WIDTH } from "./explain-list.ts";
import { titleOf } from "./history-text.ts";
import type { Means } from "./terminal.ts";
import { valueText } from "./value-text.ts";

export type ExplainView = Means & {
  /** Columns that the list of the merges may take; null for no list. */
  readonly listColumns: number | null;
};

/** What counts for a ratio, and what does not. */
const KINDS: Readonly<Record<MetricName, { readonly counted: string; readonly not: string }>> = {
  first_pass_merge_rate: { counted: "at the first pass (attempts = 1)", not: "with more than one attempt" },
  rebase_conflict_rate: {
    counted: "with a rebase conflict",
    not: "without a rebase conflict",
  },
  p95_attempts_to_merge: { counted: "", not: "" },
};

export function renderExplanations(explanations: readonly Explanation[], view: ExplainView): string {
  return explanations
    .map((one) =>
      linesOf(one, view)
        .map((line) => `${line}\n`)
        .join(""),
    )
    .join("\n");
}

function linesOf(explanation: Explanation, view: ExplainView): string[] {
  const { metric, merges, value, n, window, gate } = explanation;
  return [
    `${titleOf(explanation)} = ${valueText(metric, value, gate)} (n=${n}/${window})`,
    ...(merges.length === 0 ? ["  no merges recorded yet"] : []),
    ...(isRatio(metric) ? ratioLines(explanation) : percentileLines(explanation)),
    ...gateLines(explanation),
    ...windowLines(explanation, view),
    ...nextLines(explanation),
    ...explanation.moves.map((move) => moveLine(explanation, move)),
    ...takeOverLine(explanation),
    ...(view.listColumns !== null && merges.length > 0
      ? ["", ...listLines(merges, view.listColumns, view.colour)]
      : []),
  ];
}

function ratioLines({ metric, numerator, n, window }: Explanation): string[] {
  const missing = window - n;
  return [
    `  ${numerator} of ${count(n, "merge")} ${KINDS[metric].counted}`,
    ...(missing > 0 ? [undefinedLine(missing)] : []),
  ];
}

function undefinedLine(missing: number): string {
  return `  undefined: ${count(missing, "more merge")} needed`;
}

/** How often each number of attempts occurs, and at which rank the value stands. */
function percentileLines({ merges, value, n, window }: Explanation): string[] {
  if (n === 0) return [];
  const often = new Map<number, number>();
  for (const { attempts } of merges) often.set(attempts, (often.get(attempts) ?? 0) + 1);
  const spread = [...often].toSorted(([a], [b]) => a - b).map(([attempts, times]) => `${attempts}: ${times}`);
  const above = merges.filter(({ attempts }) => value !== null && attempts > value).length;
  return [
    `  merges by attempts: ${spread.join(", ")}`,
    value === null
      ? undefinedLine(window - n)
      : `  at least 95% of the merges took ${count(value, "attempt")} or fewer; ${above} of ${n} took more`,
  ];
}

function gateLines({ metric, gate, effective }: Explanation): string[] {
  if (gate === null) return [];
  const since = gate.since === null ? "" : ` since ${safe(moment(gate.since, "minutes"))}`;
  const used =
    effective === null || effective.scope === "project"
      ? []
      : [
          effective.value === null
            ? "  policy: undefined, as the global reading is"
            : `  policy uses the global reading: ${valueText(metric, effective.value, gate)} ${effective.state.toUpperCase()}`,
        ];
  const permissive = gate.state === CATALOGUE[metric].permissive ? ", permissive" : "";
  return [
    `  gate ${gate.name}: ${gate.state.toUpperCase()}${since}${permissive}; up >= ${boundText(gate.upper)}, down < ${boundText(gate.lower)}`,
    ...used,
  ];
}

/** One sign for each merge, in groups of ten. */
function windowLines({ merges }: Explanation, view: ExplainView): string[] {
  if (merges.length === 0) return [];
  const [yes, no] = view.ascii ? ["#", "."] : ["■", "□"];
  const signs = merges.map(({ counted, attempts }) =>
    counted === null ? (attempts > 9 ? "+" : String(attempts)) : counted ? yes : no,
  );
  const groupsPerLine = Math.min(5, Math.max(1, Math.floor((view.columns - 4 + 1) / 11)));
  const lines: string[] = [];
  for (let from = 0; from < signs.length; from += groupsPerLine * 10) {
    const part = signs.slice(from, from + groupsPerLine * 10);
    const groups: string[] = [];
    for (let at = 0; at < part.length; at += 10) groups.push(part.slice(at, at + 10).join(""));
    lines.push(`    ${groups.join(" ")}`);
  }
  const legend = merges.some(({ counted }) => counted !== null)
    ? `${yes} counts, ${no} does not`
    : "attempts of each";
  return [`  window, oldest first (${legend}):`, ...lines];
}

function nextLines(explanation: Explanation): string[] {
  const { metric, leaves_next: leaving, next, gate } = explanation;
  const lines: string[] = [];
  if (leaving !== null) lines.push(`  leaves next: ${mergeText(leaving)}`);
  if (next.if_counted !== null && next.if_not !== null) {
    const [counted, not] = [next.if_counted, next.if_not].map((value) => valueText(metric, value, gate));
    lines.push(`  after the next merge: ${counted} if it counts, ${not} if not`);
  }
  return lines;
}

function mergeText({
  seq,
  event_id: event,
  work_item_id: item,
  project,
  attempts,
  counted,
  last_verdict: verdict,
}: ExplainedMerge): string {
  const counts = counted === null ? "" : counted ? ": counts" : ": does not count";
  if (event === null) return `a merge whose rows are gone, ${count(attempts, "attempt")}${counts}`;
  return `merge ${seq ?? "?"} (event ${safe(event)}, work item ${safe(item ?? "none", NAME_WIDTH)}, ${safe(project ?? "", NAME_WIDTH)}, ${count(attempts, "attempt")}, ${safe(verdict ?? "no verdict", NAME_WIDTH)})${counts}`;
}

function moveLine({ metric, window }: Explanation, { to, bound, reach }: Move): string {
  const side = `${to.toUpperCase()} (${to === "high" ? ">=" : "<"} ${boundText(bound)})`;
  if (reach === null) return `  ${side} cannot be reached`;
  const { counted, not } = KINDS[metric];
  const kind = to === "high" ? counted : not;
  const share =
    reach.of_kind === reach.merges ? (reach.merges === 1 ? "" : "all ") : `${reach.of_kind} of them `;
  const all = reach.merges === window ? ", a whole window" : "";
  return `  ${side} takes at least ${count(reach.merges, "more merge")}${all}${reach.of_kind === 0 ? ", of any kind" : `, ${share}${kind}`}`;
}

/** Beside the bounds there is one way to a state: a project whose window fills between them takes over the global one. */
function takeOverLine({ scope, value, gate }: Explanation): string[] {
  return scope === "project" && value === null && gate?.state === "unknown"
    ? ["  between the bounds when its window is full, it goes on with the global state"]
    : [];
}
