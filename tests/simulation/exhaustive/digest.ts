/** Numbers for values: two values have the same number if nothing written in them differs. A value with a number never changes. */
import type { Row } from "../rows.ts";
import type { Now, State, Transaction } from "../server.ts";

const numbers = new Map<string, number>();
/** The property that holds an object's number; a spread does not copy it. */
let place = Symbol("number");

/** Forgets all numbers at the end of a search. */
export function forgetNumbers(): void {
  numbers.clear();
  place = Symbol("number");
}

/** The number of a text. */
export function numberOf(text: string): number {
  let number = numbers.get(text);
  if (number === undefined) {
    number = numbers.size;
    numbers.set(text, number);
  }
  return number;
}

/** Computes an object's number once. */
function once<T extends object>(value: T, text: (value: T) => string): number {
  const known = (value as Record<symbol, number | undefined>)[place];
  if (known !== undefined) return known;
  const number = numberOf(text(value));
  Object.defineProperty(value, place, { value: number });
  return number;
}

/** What a statement answered. */
export function ofAnswer(value: unknown): number {
  return typeof value === "object" && value !== null ? once(value, answerText) : numberOf(answerText(value));
}

/** The same as a text. */
export function answerText(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  if (Array.isArray(value)) return `[${value.map(answerText).join(",")}]`;
  if (value instanceof Set) return `s[${[...value].map(answerText).join(",")}]`;
  if (value instanceof Map) return `m[${[...value].map(answerText).join(",")}]`;
  if (isState(value)) return `state ${ofState(value)}`;
  return `{${Object.entries(value)
    .map(([key, field]) => `${key}:${answerText(field)}`)
    .join(",")}}`;
}

function isState(value: object): value is State {
  return "rows" in value && "prepared" in value;
}

export function ofState(state: State): number {
  return once(
    state,
    ({ rows, items, prepared, gone, floor }) =>
      `state ${rows.map(ofRow).join(" ")}|${gone.map(ofRow).join(" ")}|${ofItems(items)}|${floor}|${ofPrepared(prepared)}`,
  );
}

function ofItems(items: State["items"]): number {
  return once(items, (all) => `items ${JSON.stringify([...all])}`);
}

function ofRow(row: Row): number {
  return once(row, ({ id, kind, item, was, payload }) => `row ${id}|${kind}|${item}|${was}|${payload}`);
}

export function ofTransaction(transaction: Transaction): number {
  return once(transaction, ({ rows, savepoints, name, facts, deletes, drawn, ...rest }) => {
    // Not `reads`: it concerns TRUNCATE alone, which no scope has.
    const flags = [rest.locksTable, rest.locksSequence, rest.visible].map(Number).join("");
    const kept = savepoints.map(ofTransaction).join(" ");
    return `transaction ${rows.map(ofRow).join(" ")}|${kept}|${flags}|${JSON.stringify([name, facts, deletes, drawn])}`;
  });
}

function ofPrepared(prepared: State["prepared"]): number {
  return once(
    prepared,
    (all) =>
      `prepared ${[...all]
        .map(([name, transaction]) => `${name}=${ofTransaction(transaction)}`)
        .toSorted()
        .join()}`,
  );
}

function ofSessions(sessions: Now["sessions"]): number {
  return once(sessions, (all) => {
    const open = [...all].map(
      ([id, { transaction, cached }]) =>
        `${id}:${transaction === null ? "" : ofTransaction(transaction)}:${cached.join()}`,
    );
    return `sessions ${open.toSorted().join()}`;
  });
}

/** All that a server knows, except the names of sessions. */
export function ofServer(now: Now): number {
  return once(now, (all) => `server ${ofRest(all)}|${ofSessions(all.sessions)}|${all.lock.join()}`);
}

/** All that a server knows, except its sessions. */
export function ofRest({ state, history, ending, lastId, unused, refused, wentBack }: Now): string {
  const rare = `${history.map(ofState).join()}|${unused.join()}|${[...refused].join()}|${wentBack}`;
  return `${ofState(state)}|${ofPrepared(ending)}|${lastId}|${rare}`;
}
