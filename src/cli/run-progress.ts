/**
 * The daemon's long work as a bar on standard error, for whoever starts it by hand: reading the log, and recording what
 * is due. Log lines go above it; where they are on the same screen, those of progress give way to the bar.
 */
import type { DaemonEvent } from "../events/daemon-event.ts";
import { barLine, ERASE } from "./progress-bar.ts";
import type { Terminal } from "./terminal.ts";

type Progress = Extract<DaemonEvent, { readonly event: "restore.progress" | "backlog.progress" }>;

const WORDS: Readonly<Record<Progress["event"], string>> = {
  "restore.progress": "reading the log",
  "backlog.progress": "recording",
};

/** With these the work that the bar tells of is over. */
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

export class RunProgress {
  readonly #terminal: Pick<Terminal, "err" | "errColumns">;
  readonly #logOnScreen: boolean;
  #shown: Progress | null = null;

  /** @param logOnScreen whether the log goes to a terminal too. */
  constructor(terminal: Pick<Terminal, "err" | "errColumns">, logOnScreen: boolean) {
    this.#terminal = terminal;
    this.#logOnScreen = logOnScreen;
  }

  /** @param log prints the event's line, if it has one at this level. */
  tell(event: DaemonEvent, log: () => void): void {
    if (event.event === "restore.progress" || event.event === "backlog.progress") {
      if (!this.#logOnScreen) log();
      this.#shown = event;
      this.#draw();
      return;
    }
    const ends = ENDS.has(event.event);
    if (this.#shown !== null && (ends || this.#logOnScreen)) void this.#terminal.err(ERASE);
    log();
    if (ends) this.#shown = null;
    else if (this.#logOnScreen) this.#draw();
  }

  #draw(): void {
    if (this.#shown === null) return;
    const { event, done, total, eta_s: seconds } = this.#shown;
    void this.#terminal.err(barLine(WORDS[event], total === 0 ? 0 : done / total, seconds, this.#terminal));
  }
}
