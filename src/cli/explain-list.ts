/** The merges of a window, one in each line, with as much of each as fits. */
import { styleText } from "node:util";
import type { ExplainedMerge } from "../core/explanation.ts";
import { moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { align, type Cell, widthOf } from "./columns.ts";

/** Wide enough to know a name by. */
export const NAME_WIDTH = 24;

const INDENT = "  ";
const COUNTS = "counts";

const COLUMNS: readonly { readonly head: string; readonly cell: (merge: ExplainedMerge) => string }[] = [
  { head: "merge", cell: ({ seq }) => String(seq ?? "?") },
  { head: "merged at", cell: ({ merged_at: at }) => (at === null ? "-" : safe(moment(at, "minutes"))) },
  { head: "event", cell: ({ event_id: event }) => safe(event ?? "gone") },
  { head: "work item", cell: ({ work_item_id: item }) => safe(item ?? "-", NAME_WIDTH) },
  { head: "project", cell: ({ project }) => safe(project ?? "-", NAME_WIDTH) },
  { head: "attempts", cell: ({ attempts }) => String(attempts) },
  { head: "verdict", cell: ({ last_verdict: verdict }) => safe(verdict ?? "-", NAME_WIDTH) },
  { head: COUNTS, cell: ({ counted }) => (counted === null ? "" : counted ? "yes" : "no") },
];

/** What gives way where there is no room, one after the other; `--json` tells it still. */
const GIVE_WAY = ["event", "work item", "merged at"];

export function listLines(merges: readonly ExplainedMerge[], room: number, colour: boolean): string[] {
  const paint = (text: string) =>
    colour && text === "yes" ? styleText("cyan", text, { validateStream: false }) : text;
  const without = (heads: readonly string[]): Cell[][] => {
    const columns = COLUMNS.filter(({ head }) => !heads.includes(head));
    return [
      columns.map(({ head }) => ({ text: head })),
      ...merges.map((merge) =>
        columns.map(({ head, cell }) => ({ text: cell(merge), ...(head === COUNTS ? { paint } : {}) })),
      ),
    ];
  };
  const fitting = [0, 1, 2]
    .map((fewer) => without(GIVE_WAY.slice(0, fewer)))
    .find((lines) => INDENT.length + widthOf(lines) <= room);
  return align(fitting ?? without(GIVE_WAY)).map((line) => INDENT + line);
}
