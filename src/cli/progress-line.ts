/** Progress of a command on standard error: a bar on a terminal, otherwise a line every few seconds, nothing if it is quick. */
import { type Clock, systemClock } from "../clock.ts";
import { barLine, ERASE, figuresOf, hasCursor } from "./progress-bar.ts";
import type { Terminal } from "./terminal.ts";

const FIRST_MS = 500;
const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 3_000;
/** Below this share most of the time went into connecting, and an estimate from it is minutes off. */
const TOLD_FROM = 0.01;

export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #what: string;
  readonly #startedAt: number;
  #toldAt: number;
  #drawn = false;

  /** @param what is going on, such as "verifying". */
  constructor(what: string, terminal: Terminal, clock: Pick<Clock, "monotonic">) {
    this.#what = what;
    this.#terminal = terminal;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#toldAt = this.#startedAt;
  }

  /** @param share of the work that is done, 0–1. */
  at(share: number): void {
    const now = this.#clock.monotonic();
    const onScreen = hasCursor(this.#terminal);
    const every = onScreen ? BAR_EVERY_MS : LINE_EVERY_MS;
    if (now - this.#startedAt < FIRST_MS || now - this.#toldAt < every || share < TOLD_FROM || share >= 1)
      return;
    this.#toldAt = now;
    const seconds = (((now - this.#startedAt) / 1000) * (1 - share)) / share;
    void this.#terminal.err(
      onScreen
        ? barLine(this.#what, share, seconds, this.#terminal)
        : `${this.#what}: ${figuresOf(share, seconds).trim()}\n`,
    );
    this.#drawn = onScreen;
  }

  /** Takes the bar off the screen. */
  async end(): Promise<void> {
    if (this.#drawn) await this.#terminal.err(ERASE);
    this.#drawn = false;
  }
}

/** Does the work, which tells how far it has come (0–1); afterwards no bar is left on the screen. */
export async function withProgress<T>(
  what: string,
  terminal: Terminal,
  work: (progress: (share: number) => void) => Promise<T>,
): Promise<T> {
  const line = new ProgressLine(what, terminal, systemClock);
  try {
    return await work((share) => line.at(share));
  } finally {
    await line.end();
  }
}
