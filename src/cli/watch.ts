/**
 * `snapshot --watch`: looks again and again until interrupted. On a terminal each look is drawn over the last one in one
 * write, without clearing the screen first, so that it does not flicker; elsewhere each look is appended. While the
 * database is unavailable, that is reported once, the last values stay, and looking goes on.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Snapshot } from "../core/snapshot.ts";
import { moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { ReaderGone, type Terminal } from "./terminal.ts";
import type { Look, Screen } from "./watch-screen.ts";

type Rendered = { readonly out: string; readonly err: string };

type Watched = {
  readonly look: () => Promise<Look>;
  /** For a pipe, and for what a screen leaves behind. */
  readonly render: (snapshot: Snapshot) => Promise<Rendered>;
  /** Null where each look is appended. */
  readonly screen: Screen | null;
  readonly everyMs: number;
};

/** The alternate screen, as editors use it, without a cursor. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
/** Keys that end it, as interruptions do. */
const LEAVING = ["q", "Q"];
const MESSAGE_WIDTH = 500;
/** The exit code of a look that may succeed later. */
const UNAVAILABLE = 3;

/** @returns 0 when interrupted. */
export async function watch(watched: Watched, terminal: Terminal): Promise<number> {
  const { look, render, screen, everyMs } = watched;
  const interruption = terminal.interruption(screen === null ? [] : LEAVING);
  const show = screen === null ? appended(render, terminal) : drawn(screen, terminal);
  let last: Look | null = null;
  let trouble: string | null = null;
  try {
    while (!interruption.aborted) {
      const seen = await unlessAborted(attempt(look), interruption);
      if (seen === null) break;
      if (typeof seen === "string") trouble ??= troubleText(seen);
      else [last, trouble] = [seen, null];
      await show(last, trouble);
      await pause(everyMs, undefined, { signal: interruption }).catch(() => undefined);
    }
  } finally {
    if (screen !== null) await terminal.out(LEAVE).catch(() => undefined);
  }
  if (screen !== null && last !== null) await terminal.out((await render(last.snapshot)).out);
  return 0;
}

/** Shows the last look that succeeded, and why the newest one did not. */
type Show = (last: Look | null, trouble: string | null) => Promise<void>;

function drawn(screen: Screen, terminal: Terminal): Show {
  let entered = false;
  return async (last, trouble) => {
    const size = { columns: terminal.columns() ?? 80, rows: Math.max(2, terminal.rows() ?? 24) - 1 };
    const text = screen
      .lines(last, trouble, size)
      .map((line) => `${line}\x1b[K\r\n`)
      .join("");
    await terminal.out(`${entered ? "" : ENTER}\x1b[H${text}\x1b[J`);
    entered = true;
  };
}

function appended(render: Watched["render"], terminal: Terminal): Show {
  let reported: string | null = null;
  return async (last, trouble) => {
    if (trouble !== null && reported === null) await terminal.err(`${trouble}\n`);
    if (trouble === null && reported !== null) await terminal.err("the database is available again\n");
    reported = trouble;
    if (trouble !== null || last === null) return;
    const { out, err } = await render(last.snapshot);
    await terminal.out(out);
    if (err !== "") await terminal.err(err);
  };
}

/** @returns the look, or the message of a failure that may pass. */
async function attempt(look: Watched["look"]): Promise<Look | string> {
  try {
    return await look();
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
