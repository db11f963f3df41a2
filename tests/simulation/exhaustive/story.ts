/** A schedule as a story: who did what, what each saw, and the log after each change. */
import { isCheckpoint, isMerge, isRecord, payloadOf, type Row } from "../rows.ts";
import type { State } from "../server.ts";
import type { Output } from "./live.ts";
import type { Place } from "./place.ts";
import type { Said, Space } from "./space.ts";
import { describe } from "./wording.ts";

export class Story {
  readonly lines: string[] = [];
  #state: State | null = null;

  /** Adds a step, right after it was taken. */
  add(space: Space, before: Place, name: string, after: Place): void {
    const { who, what } = describe(space, before, name);
    const { said } = space;
    const saw = said.flatMap(({ who: heard, given }) =>
      heard === who && given.gives === "answer" ? [seen(given.value)] : [],
    );
    const part = after.daemons[Number(name.slice(1))];
    const half = name.startsWith("d") && part !== undefined && part.part > 0 ? [seen(part.carry)] : [];
    this.lines.push(`${who.padEnd(15)} ${what}${arrow([...saw, ...half])}`);
    this.#words(said);
    const { state } = after.now;
    if (state !== this.#state && this.#state !== null && state.rows !== this.#state.rows)
      this.lines.push(`${" ".repeat(15)} the log: ${logText(state.rows)}`);
    this.#state = state;
  }

  #words(said: readonly Said[]): void {
    for (const { who, edge } of said)
      for (const output of edge.outputs) {
        const word = wordOf(output);
        if (word !== null) this.lines.push(`${who.padEnd(15)}   ${word}`);
      }
  }
}

function arrow(saw: readonly string[]): string {
  const all = saw.filter((text) => text !== "");
  return all.length === 0 ? "" : ` → ${all.join(" · ")}`;
}

function wordOf(output: Output): string | null {
  if (output.does === "connect") return "connects";
  if (output.does === "leave") return "disconnects";
  const { event, ...fields } = output.event;
  const shown = Object.entries(fields).filter(([, field]) => typeof field !== "object" && field !== null);
  const text = shown.map(([key, field]) => `${key} ${String(field)}`).join(", ");
  return `reports ${event}${text === "" ? "" : `: ${cut(text)}`}`;
}

const LONGEST = 110;
/** Groups of rows that the log shows: the newest. */
const MOST_GROUPS = 5;

/** An answer in short. */
function seen(value: unknown): string {
  return cut(textOf(value));
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null || value === true) return "";
  if (typeof value === "bigint") return String(value);
  // Payloads are long, and the log shows them.
  if (typeof value === "string") return value.startsWith("{") ? "" : value;
  if (typeof value !== "object") return JSON.stringify(value);
  if (value instanceof Set) return value.size === 0 ? "none" : [...value].join(", ");
  if (value instanceof Map) return `${value.size}`;
  if (Array.isArray(value)) return value.length === 0 ? "nothing" : value.map(itemText).join(", ");
  if ("rows" in value && "prepared" in value) return "the log";
  return Object.entries(value)
    .filter(([key, field]) => field !== null && !/fingerprint|payload/i.test(key))
    .map(([key, field]) => `${key} ${textOf(field) || String(field)}`)
    .join(", ");
}

function itemText(item: unknown): string {
  if (typeof item !== "object" || item === null) return textOf(item);
  if ("eventId" in item) {
    const { eventId, recordedAs = null } = item as {
      readonly eventId: string;
      readonly recordedAs?: string | null;
    };
    return `merge ${eventId}${recordedAs === null ? "" : ` (recorded as ${recordedAs})`}`;
  }
  if ("kind" in item && "id" in item) return `${String(item.id)} ${String(item.kind)}`;
  return textOf(item);
}

/** The log in one line, with the rows of one merge together. */
function logText(rows: readonly Row[]): string {
  if (rows.length === 0) return "empty";
  const groups: { text: string; ids: number[] }[] = [];
  for (const row of rows) {
    const text = sortOf(row);
    const last = groups.at(-1);
    if (last?.text === text) last.ids.push(row.id);
    else groups.push({ text, ids: [row.id] });
  }
  const texts = groups.map(({ text, ids }) => `${ids[0]}${ids.length > 1 ? `–${ids.at(-1)}` : ""} ${text}`);
  return [...(texts.length > MOST_GROUPS ? ["…"] : []), ...texts.slice(-MOST_GROUPS)].join(" | ");
}

function sortOf(row: Row): string {
  if (isMerge(row)) return `merge of ${row.item}`;
  if (isCheckpoint(row)) return "checkpoint";
  if (!isRecord(row)) return row.kind;
  return `record of ${payloadOf(row).merge.event_id}${row.kind === "metric.merge_skipped" ? ", skipped" : ""}`;
}
