/**
 * `snapshot --watch`: looks again and again until interrupted. On a terminal each look is drawn over the last one in one
 * write, without clearing the screen first, so that it does not flicker; elsewhere each look is appended. While the
 * database is unavailable, that is reported once, the last values stay, and looking goes on.
 */
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { Snapshot } from "../core/snapshot.ts";
import { moment } from "../text/figures.ts";
import { safe, textWidth } from "../text/safe.ts";
import { ReaderGone, type Terminal } from "./terminal.ts";

type Rendered = { readonly out: string; readonly err: string };

type Watched = {
  readonly look: () => Promise<Snapshot>;
  readonly render: (snapshot: Snapshot) => Promise<Rendered>;
  readonly everyMs: number;
};

/** The alternate screen, as editors use it, without a cursor. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const MESSAGE_WIDTH = 500;
/** The exit code of a look that may succeed later. */
const UNAVAILABLE = 3;

/** @returns 0 when interrupted. */
export async function watch(watched: Watched, terminal: Terminal): Promise<number> {
  const interruption = terminal.interruption();
  const onScreen = terminal.columns() !== null && terminal.env["TERM"] !== "dumb";
  const show = onScreen ? screen(terminal) : appended(terminal);
  let last: Rendered | null = null;
  let trouble: string | null = null;
  try {
    while (!interruption.aborted) {
      const seen = await unlessAborted(attempt(watched), interruption);
      if (seen === null) break;
      if (typeof seen === "string") trouble ??= troubleText(seen);
      else [last, trouble] = [seen, null];
      await show(last, trouble);
      await pause(watched.everyMs, undefined, { signal: interruption }).catch(() => undefined);
    }
  } finally {
    if (onScreen) await terminal.out(LEAVE).catch(() => undefined);
  }
  if (onScreen && last !== null) await terminal.out(last.out);
  return 0;
}

/** Shows the last look that succeeded, and why the newest one did not. */
type Show = (last: Rendered | null, trouble: string | null) => Promise<void>;

function screen(terminal: Terminal): Show {
  let entered = false;
  return async (last, trouble) => {
    const rows = Math.max(2, terminal.rows() ?? 24);
    const ending = trouble === null ? [] : ["", trouble];
    const lines = (last?.out ?? "").split("\n").slice(0, -1);
    const shown = [...fitting(lines, terminal.columns() ?? 80, rows - 1 - ending.length), ...ending];
    const drawn = shown.map((line) => `${line}\x1b[K\r\n`).join("");
    await terminal.out(`${entered ? "" : ENTER}\x1b[H${drawn}\x1b[J`);
    entered = true;
  };
}

/** As many lines as there is room for, and always the last one, which says as of when. */
function fitting(lines: readonly string[], columns: number, room: number): readonly string[] {
  const heightOf = (some: readonly string[]) =>
    some.reduce((sum, line) => {
      const width = textWidth(stripVTControlCharacters(line));
      return sum + Math.max(1, Math.ceil(width / columns));
    }, 0);
  if (heightOf(lines) <= room) return lines;
  const ending = ["… (the screen has no room for the rest)", lines.at(-1) ?? ""];
  let kept = lines.slice(0, -1);
  while (kept.length > 0 && heightOf([...kept, ...ending]) > room) kept = kept.slice(0, -1);
  return [...kept, ...ending];
}

function appended(terminal: Terminal): Show {
  let reported: string | null = null;
  return async (last, trouble) => {
    if (trouble !== null && reported === null) await terminal.err(`${trouble}\n`);
    if (trouble === null && reported !== null) await terminal.err("the database is available again\n");
    reported = trouble;
    if (trouble !== null || last === null) return;
    await terminal.out(last.out);
    if (last.err !== "") await terminal.err(last.err);
  };
}

/** @returns the look, or the message of a failure that may pass. */
async function attempt({ look, render }: Watched): Promise<Rendered | string> {
  try {
    return await render(await look());
  } catch (error) {
    if (error instanceof ReaderGone || !(error instanceof Error)) throw error;
    if (!("exitCode" in error) || error.exitCode !== UNAVAILABLE) throw error;
    return error.message;
  }
}

function troubleText(message: string): string {
  const since = moment(new Date().toISOString(), "seconds");
  return `since ${since}: ${safe(message.replaceAll("\n", "; "), MESSAGE_WIDTH)}`;
}

/** The work's result, or null once the signal is aborted. Leaves no listener behind: looks may follow each other every 100 ms. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const ended = new AbortController();
  const aborted = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { signal: ended.signal });
  });
  return Promise.race([work, aborted]).finally(() => ended.abort());
}
