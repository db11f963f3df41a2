/**
 * `snapshot --watch`: reads the values repeatedly until interrupted. On a terminal each look is drawn over the last one in
 * one write, so that nothing flickers; elsewhere each look is appended. If the database is unavailable, that is reported
 * once, the last values stay, and the next look retries.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Config } from "../config.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { Failed } from "../failed.ts";
import { moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { formatOf } from "./options.ts";
import type { SnapshotFlags } from "./snapshot.ts";
import { type Terminal, wantsColour } from "./terminal.ts";
import type { Cli } from "./verb.ts";
import { type Look, type Screen, watchScreen } from "./watch-screen.ts";

type Watched = SnapshotFlags & {
  readonly everyMs: number;
  /** Prints the values: to a pipe after each look, to a terminal after the last one. */
  readonly print: (snapshot: Snapshot) => Promise<void>;
};

/** The alternate screen, as editors use it, without a cursor. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
/** Keys that end it, as interruptions do. */
const LEAVING = ["q", "Q"];
const MESSAGE_WIDTH = 500;
/** The exit code of failures that may pass. */
const UNAVAILABLE = 3;
/** Merges of a sparkline. */
const TREND = 60;

/** @returns 0 when interrupted. */
export async function watch(config: Config, watched: Watched, { terminal, work }: Cli): Promise<number> {
  const { everyMs, print, timeout: timeoutMs } = watched;
  const screen = screenFor(watched, terminal);
  const interruption = terminal.interruption(screen === null ? [] : LEAVING);
  const show = screen === null ? appended(print, terminal) : drawn(screen, terminal);
  let last: Look | null = null;
  let trouble: string | null = null;
  /** Reads the values, and for a screen the trend if merges are new. */
  const look = async (): Promise<Look> => {
    const snapshot = await work.readSnapshot(config, { timeoutMs });
    if (screen === null || last?.snapshot.as_of.seq === snapshot.as_of.seq)
      return { snapshot, series: last?.series ?? [] };
    const wanted = { timeoutMs, metric: null, projects: [], last: TREND };
    return { snapshot, series: (await work.readHistory(config, wanted)).series };
  };
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
  if (screen !== null && last !== null) await print(last.snapshot);
  return 0;
}

/** Null if each look is appended. */
function screenFor(watched: Watched, terminal: Terminal): Screen | null {
  if (formatOf(watched) !== "text" || terminal.columns() === null || terminal.env["TERM"] === "dumb")
    return null;
  const { project: projects, wide = false, color, everyMs } = watched;
  const limit = Number.POSITIVE_INFINITY;
  return watchScreen({ projects, limit, wide, colour: wantsColour(terminal, color) }, everyMs);
}

/** Shows the last look that succeeded, and why the newest one did not. */
type Show = (last: Look | null, trouble: string | null) => Promise<void>;

function drawn(screen: Screen, terminal: Terminal): Show {
  let entered = false;
  return async (last, trouble) => {
    const size = { columns: terminal.columns() ?? 80, rows: Math.max(2, terminal.rows() ?? 24) - 1 };
    const lines = screen.lines(last, trouble, size).map((line) => `${line}\x1b[K\r\n`);
    await terminal.out(`${entered ? "" : ENTER}\x1b[H${lines.join("")}\x1b[J`);
    entered = true;
  };
}

function appended(print: Watched["print"], terminal: Terminal): Show {
  let reported: string | null = null;
  return async (last, trouble) => {
    if (trouble !== null && reported === null) await terminal.err(`${trouble}\n`);
    if (trouble === null && reported !== null) await terminal.err("the database is available again\n");
    reported = trouble;
    if (trouble === null && last !== null) await print(last.snapshot);
  };
}

/** @returns the look, or the message of a failure that may pass. */
async function attempt(look: () => Promise<Look>): Promise<Look | string> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof Failed && error.exitCode === UNAVAILABLE) return error.message;
    throw error;
  }
}

function troubleText(message: string): string {
  const since = moment(new Date().toISOString(), "seconds");
  return `since ${since}: ${safe(message.replaceAll("\n", "; "), MESSAGE_WIDTH)}`;
}

/** The work's result, or null once the signal is aborted. Removes its listener: looks may follow every 100 ms. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const ended = new AbortController();
  const aborted = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { signal: ended.signal });
  });
  return Promise.race([work, aborted]).finally(() => ended.abort());
}
