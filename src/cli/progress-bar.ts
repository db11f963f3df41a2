/** A bar on the last line of a terminal: how much is done, and how long the rest will take. */
import { span } from "../text/figures.ts";
import type { Terminal } from "./terminal.ts";

const BAR_COLUMNS = 24;

/** Takes a bar off the screen. */
export const ERASE = "\r\x1b[K";

/** Whether a bar can be drawn over itself on standard error. */
export function hasCursor({ errColumns, env }: Pick<Terminal, "errColumns" | "env">): boolean {
  return errColumns() !== null && env["TERM"] !== "dumb";
}

/** A bar in the place of the last one, no wider than the terminal: what wraps cannot be taken off again. */
export function barLine(
  what: string,
  share: number,
  seconds: number,
  { errColumns }: Pick<Terminal, "errColumns">,
): string {
  const full = Math.round(share * BAR_COLUMNS);
  const bar = `[${"#".repeat(full)}${".".repeat(BAR_COLUMNS - full)}]`;
  const line = `${what} ${bar} ${figuresOf(share, seconds)}`;
  return `${ERASE}${line.slice(0, Math.max(0, (errColumns() ?? line.length + 1) - 1))}`;
}

/** @param share of the work that is done, 0–1. @param seconds that the rest will take. */
export function figuresOf(share: number, seconds: number): string {
  return `${String(Math.floor(share * 100)).padStart(3)}%, ${span(seconds)} left`;
}
