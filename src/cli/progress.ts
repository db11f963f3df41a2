/**
 * The progress of long work on standard error: the share that is done and the time left. On a terminal it is a bar on the
 * last line, elsewhere a line every few seconds.
 */
import { type Clock, systemClock } from "../clock.ts";
import type { DaemonEvent } from "../events/daemon-event.ts";
import { span } from "../text/figures.ts";
import type { Terminal } from "./terminal.ts";

const FIRST_MS = 500;
const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 3_000;
/** Up to this share most of the time was spent on connecting, so an estimate would be minutes off. */
const SHOWN_FROM = 0.01;
const BAR_COLUMNS = 24;
/** Erases a bar. */
const ERASE = "\r\x1b[K";

/**
 * Does a command's work and shows its progress, unless the work is quick. Leaves no bar on the screen.
 * @param what the command does, such as "verifying".
 * @param work reports the share of it that is done, 0–1.
 */
export async function withProgress<T>(
  what: string,
  terminal: Pick<Terminal, "err" | "errColumns" | "env">,
  work: (progress: (share: number) => void) => Promise<T>,
  { monotonic }: Pick<Clock, "monotonic"> = systemClock,
): Promise<T> {
  const onScreen = hasCursor(terminal);
  const everyMs = onScreen ? BAR_EVERY_MS : LINE_EVERY_MS;
  const startedAt = monotonic();
  let shownAt = startedAt;
  let drawn = false;
  try {
    return await work((share) => {
      const now = monotonic();
      if (now - startedAt < FIRST_MS || now - shownAt < everyMs || share < SHOWN_FROM || share >= 1) return;
      shownAt = now;
      drawn = onScreen;
      const seconds = ((now - startedAt) / 1000) * ((1 - share) / share);
      void terminal.err(
        onScreen ? barLine(what, share, seconds, terminal) : `${what}: ${figuresOf(share, seconds).trim()}\n`,
      );
    });
  } finally {
    if (drawn) await terminal.err(ERASE);
  }
}

/** Whether a bar can be drawn over itself on standard error. */
export function hasCursor({ errColumns, env }: Pick<Terminal, "errColumns" | "env">): boolean {
  return errColumns() !== null && env["TERM"] !== "dumb";
}

/** A bar that replaces the previous one. It is no wider than the terminal: a wrapped line cannot be erased. */
function barLine(
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

function figuresOf(share: number, seconds: number): string {
  return `${String(Math.floor(share * 100)).padStart(3)}%, ${span(seconds)} left`;
}

type ProgressEvent = Extract<DaemonEvent, { readonly event: "restore.progress" | "backlog.progress" }>;

const WORDS: Readonly<Record<ProgressEvent["event"], string>> = {
  "restore.progress": "reading the log",
  "backlog.progress": "recording",
};

/** Events that end the work whose progress is shown. */
const ENDS: ReadonlySet<DaemonEvent["event"]> = new Set([
  "restore.completed",
  "backlog.completed",
  "db.disconnected",
  "db.connect_failed",
  "db.refused",
  "db.unfit",
  "daemon.fatal",
  "shutdown.started",
] as const);

/**
 * The daemon's long work as a bar on standard error, if that is a terminal. Log lines go above the bar. If both are on one
 * screen, the bar replaces the log lines of progress.
 * @param logOnScreen whether the log goes to a terminal too.
 * @returns a function to call with each event; `log` prints its line, if it has one at this level.
 */
export function runProgress(
  terminal: Pick<Terminal, "err" | "errColumns">,
  logOnScreen: boolean,
): (event: DaemonEvent, log: () => void) => void {
  let shown: ProgressEvent | null = null;
  const draw = (): void => {
    if (shown === null) return;
    const { event, done, total, eta_s: seconds } = shown;
    void terminal.err(barLine(WORDS[event], total === 0 ? 0 : done / total, seconds, terminal));
  };
  return (event, log) => {
    if (event.event === "restore.progress" || event.event === "backlog.progress") {
      if (!logOnScreen) log();
      shown = event;
      draw();
      return;
    }
    const ends = ENDS.has(event.event);
    if (shown !== null && (ends || logOnScreen)) void terminal.err(ERASE);
    log();
    if (ends) shown = null;
    else if (logOnScreen) draw();
  };
}
