/** The merges of a window, one per line, with as many columns as fit. */
import type { ExplainedMerge } from "../core/explanation.ts";
import { moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { alignFitting, type Line } from "./columns.ts";
import { paint } from "./paint.ts";

/** Enough to recognise a name. */
export const NAME_WIDTH = 24;

const INDENT = "  ";

/** Columns that are left out where there is no room, in this order. */
const DISPENSABLE = ["event", "work item", "merged at"];

export function listLines(merges: readonly ExplainedMerge[], room: number, colour: boolean): string[] {
  const yes = paint("cyan", "yes", colour);
  const columns: Readonly<Record<string, (merge: ExplainedMerge) => string>> = {
    merge: ({ seq }) => String(seq ?? "?"),
    "merged at": ({ merged_at: at }) => (at === null ? "-" : safe(moment(at, "minutes"))),
    event: ({ event_id: event }) => safe(event ?? "gone"),
    "work item": ({ work_item_id: item }) => safe(item ?? "-", NAME_WIDTH),
    project: ({ project }) => safe(project ?? "-", NAME_WIDTH),
    attempts: ({ attempts }) => String(attempts),
    verdict: ({ last_verdict: verdict }) => safe(verdict ?? "-", NAME_WIDTH),
    counts: ({ counted }) => (counted === null ? "" : counted ? yes : "no"),
  };
  const variants = [0, 1, 2, 3].map((fewer): Line[] => {
    const heads = Object.keys(columns).filter((head) => !DISPENSABLE.slice(0, fewer).includes(head));
    return [heads, ...merges.map((merge) => heads.map((head) => columns[head]?.(merge) ?? ""))];
  });
  const [first = "", ...lines] = alignFitting(variants, room - INDENT.length).map((line) => INDENT + line);
  return [paint("bold", first, colour), ...lines];
}
