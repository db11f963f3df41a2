/**
 * Looking again and again until somebody interrupts. On a terminal the screen is drawn over in one write, without being
 * cleared first, so that it does not flicker; elsewhere each look is appended. A database that is away is told of once,
 * the last values stay, and looking goes on.
 */
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { Snapshot } from "../core/snapshot.ts";
import { moment } from "../text/figures.ts";
import { safe, textWidth } from "../text/safe.ts";
import { ReaderGone, type Terminal } from "./terminal.ts";

export type Rendered = { readonly out: string; readonly err: string };

export type Watched = {
  readonly look: () => Promise<Snapshot>;
  readonly render: (snapshot: Snapshot) => Rendered;
  readonly everyMs: number;
};

/** The screen beside the scrollback, as editors use it, and no cursor on it. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const MESSAGE_WIDTH = 500;
/** A look that fails with another code will fail again. */
const AWAY = 3;

/** @returns 0 once it is interrupted. */
export async function watch(watched: Watched, terminal: Terminal): Promise<number> {
  const interruption = terminal.interruption();
  const onScreen = terminal.columns() !== null && terminal.env["TERM"] !== "dumb";
  const show = onScreen ? screen(terminal) : appended(terminal);
  let last: Rendered | null = null;
  let away: string | null = null;
  try {
    while (!interruption.aborted) {
      const seen = await unlessAborted(attempt(watched), interruption);
      if (seen === null) break;
      if ("out" in seen) last = seen;
      away = "out" in seen ? null : (away ?? awayText(seen.message));
      await show(last, away);
      await pause(watched.everyMs, undefined, { signal: interruption }).catch(() => undefined);
    }
  } finally {
    if (onScreen) await terminal.out(LEAVE).catch(() => undefined);
  }
  if (onScreen && last !== null) await terminal.out(last.out);
  return 0;
}

type Show = (last: Rendered | null, away: string | null) => Promise<void>;

function screen(terminal: Terminal): Show {
  let entered = false;
  return async (last, away) => {
    const rows = Math.max(2, terminal.rows() ?? 24);
    const lines = (last?.out ?? "").split("\n").slice(0, -1);
    const shown = fitting(lines, terminal.columns() ?? 80, rows - 1 - (away === null ? 0 : 2));
    const all = away === null ? shown : [...shown, "", away];
    const drawn = all.map((line) => `${line}\x1b[K\r\n`).join("");
    await terminal.out(`${entered ? "" : ENTER}\x1b[H${drawn}\x1b[J`);
    entered = true;
  };
}

/** As many lines as there is room for; the last one, which says as of when, is always among them. */
function fitting(lines: readonly string[], columns: number, room: number): readonly string[] {
  const height = (line: string) =>
    Math.max(1, Math.ceil(textWidth(stripVTControlCharacters(line)) / columns));
  const heightOf = (some: readonly string[]) => some.reduce((sum, line) => sum + height(line), 0);
  if (heightOf(lines) <= room) return lines;
  const ending = ["… (the screen is too low for the rest)", lines.at(-1) ?? ""];
  let kept = lines.slice(0, -1);
  while (kept.length > 0 && heightOf(kept) + heightOf(ending) > room) kept = kept.slice(0, -1);
  return [...kept, ...ending];
}

function appended(terminal: Terminal): Show {
  let told: string | null = null;
  return async (last, away) => {
    if (away !== null && told === null) await terminal.err(`${away}\n`);
    if (away === null && told !== null) await terminal.err("the database is back\n");
    told = away;
    if (away !== null || last === null) return;
    await terminal.out(last.out);
    if (last.err !== "") await terminal.err(last.err);
  };
}

async function attempt({ look, render }: Watched): Promise<Rendered | { readonly message: string }> {
  try {
    return render(await look());
  } catch (error) {
    if (error instanceof ReaderGone || !(error instanceof Error)) throw error;
    if (!("exitCode" in error) || error.exitCode !== AWAY) throw error;
    return { message: error.message };
  }
}

function awayText(message: string): string {
  const since = moment(new Date().toISOString(), "seconds");
  return `since ${since}: ${safe(message.replaceAll("\n", "; "), MESSAGE_WIDTH)}`;
}

/** What `work` gives, or null once the signal is aborted. Leaves no listener behind: there may be a look each 100 ms. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const ended = new AbortController();
  const aborted = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { signal: ended.signal });
  });
  return Promise.race([work, aborted]).finally(() => ended.abort());
}
