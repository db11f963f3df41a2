/** An explanation for people: the reading, its gate, the window at a glance, what leaves next, and what could move the gate. */
import { CATALOGUE, isRatio } from "../core/catalogue.ts";
import type { ExplainedMerge, Explanation } from "../core/explanation.ts";
import { boundsText, count, moment } from "../text/figures.ts";
import { KINDS, moveText } from "../text/moves.ts";
import { safe } from "../text/safe.ts";
import { fitting, table } from "./columns.ts";
import { headingText, valueText } from "./reading-text.ts";
import { type Means, paint } from "./terminal.ts";

export type ExplainView = Means & {
  /** Columns that the list of the merges may take; null for no list. */
  readonly listColumns: number | null;
  /** Merges of the list, the newest ones. */
  readonly listed: number;
};

/** Enough to recognise a name. */
const NAME_WIDTH = 24;

export function renderExplanations(explanations: readonly Explanation[], view: ExplainView): string {
  return explanations.map((one) => `${linesOf(one, view).join("\n")}\n`).join("\n");
}

function linesOf(explanation: Explanation, view: ExplainView): string[] {
  const { metric, merges, gate, moves, window } = explanation;
  return [
    headingText(explanation, explanation, gate, view.colour),
    ...(merges.length === 0 ? ["  no merges recorded yet"] : []),
    ...(isRatio(metric) ? ratioLines(explanation) : percentileLines(explanation)),
    ...gateLines(explanation),
    ...windowLines(explanation, view),
    ...nextLines(explanation),
    ...moves.map((move) => `  ${moveText(metric, window, move)}`),
    ...takeOverLine(explanation),
    ...listLines(explanation, view),
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
  const since = gate.since === null ? "" : ` since ${moment(gate.since, "minutes")}`;
  const permissive = gate.state === CATALOGUE[metric].permissive ? ", permissive" : "";
  const line = `  gate ${gate.name}: ${gate.state.toUpperCase()}${since}${permissive}; ${boundsText(gate)}`;
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
  const groups = signs.join("").match(/.{1,10}/gu) ?? [];
  const perLine = Math.min(5, Math.max(1, Math.floor((columns - 4 + 1) / 11)));
  const lines = groups.flatMap((_, nth) =>
    nth % perLine === 0 ? `    ${groups.slice(nth, nth + perLine).join(" ")}` : [],
  );
  const legend = merges[0]?.counted === null ? "attempts of each" : `${yes} counts, ${no} does not`;
  return [`  window, oldest first (${legend}):`, ...lines];
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
  const {
    seq,
    event_id: event,
    work_item_id: item,
    project,
    attempts,
    last_verdict: verdict,
    counted,
  } = merge;
  const counts = counted === null ? "" : counted ? ": counts" : ": does not count";
  const took = count(attempts, "attempt");
  if (event === null) return `a merge whose rows are gone, ${took}${counts}`;
  const about = [
    `event ${safe(event)}`,
    `work item ${safe(item ?? "none", NAME_WIDTH)}`,
    safe(project ?? "", NAME_WIDTH),
    took,
    safe(verdict ?? "no verdict", NAME_WIDTH),
  ];
  return `merge ${seq ?? "?"} (${about.join(", ")})${counts}`;
}

/** A project's gate can also leave `unknown` between the bounds: when the window fills there, it takes over the global state. */
function takeOverLine({ scope, value, gate }: Explanation): string[] {
  return scope === "project" && value === null && gate?.state === "unknown"
    ? ["  if its window fills between the bounds, it takes over the global state"]
    : [];
}

/** Columns that are left out if they do not fit, in this order. */
const DISPENSABLE = ["event", "work item", "merged at"];

/** The newest merges of the window, one per line, with as many columns as fit. */
function listLines({ merges }: Explanation, { listColumns, listed, colour }: ExplainView): string[] {
  if (listColumns === null || merges.length === 0) return [];
  const shown = listed === 0 ? [] : merges.slice(-listed);
  const older = merges.length - shown.length;
  const columns: Readonly<Record<string, (merge: ExplainedMerge) => string>> = {
    "  merge": ({ seq }) => `  ${seq ?? "?"}`,
    "merged at": ({ merged_at: at }) => (at === null ? "-" : moment(at, "minutes")),
    event: ({ event_id: event }) => safe(event ?? "gone"),
    "work item": ({ work_item_id: item }) => safe(item ?? "-", NAME_WIDTH),
    project: ({ project }) => safe(project ?? "-", NAME_WIDTH),
    attempts: ({ attempts }) => String(attempts),
    verdict: ({ last_verdict: verdict }) => safe(verdict ?? "-", NAME_WIDTH),
    counts: ({ counted }) => (counted === null ? "" : counted ? paint("cyan", "yes", colour) : "no"),
  };
  const variants = [0, 1, 2, 3].map((fewer) => () => {
    const heads = Object.keys(columns).filter((head) => !DISPENSABLE.slice(0, fewer).includes(head));
    const lines = shown.map((merge) => heads.map((head) => columns[head]?.(merge) ?? ""));
    return table(heads, lines, { colour });
  });
  return [
    "",
    ...(older === 0 ? [] : [`  ${count(older, "older merge")} (--limit)`]),
    ...(shown.length === 0 ? [] : fitting(variants, listColumns)),
  ];
}
