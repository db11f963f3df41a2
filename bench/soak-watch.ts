/** What the daemons of a soak tell, and what is made of it. */
import { percentile, slope } from "./figures.ts";
import type { ProbeMessage } from "./probe.ts";
import type { Manner, SoakOrchestrator } from "./soak-orchestrator.ts";

/** A process takes memory for a while before it has what it needs. */
const WARM_UP_SHARE = 1 / 3;
const MINUTE_MS = 60_000;
/** Probes that a summary looks back on. */
const RECENT = 30;

export class SoakWatch {
  readonly #orchestrator: SoakOrchestrator;
  readonly #lagOf = new Map<string, number>();
  readonly #probes: { readonly atMs: number; readonly figures: ProbeMessage }[] = [];
  readonly #say: (text: string) => void;
  #recorded = 0;

  constructor(orchestrator: SoakOrchestrator, say: (text: string) => void) {
    this.#orchestrator = orchestrator;
    this.#say = say;
  }

  read(line: Readonly<Record<string, unknown>>): void {
    const { event, event_id: eventId, commit_to_record_ms: lag, level } = line;
    if (level === "error" || level === "fatal") this.#say(`the daemon says: ${JSON.stringify(line)}`);
    // The merges of a large batch are not logged one by one.
    if (event === "batch.recorded") this.#recorded += Number(line["merges"]);
    if (event !== "merge.recorded") return;
    this.#recorded += 1;
    if (typeof lag === "number") this.#lagOf.set(String(eventId), lag);
  }

  probed(figures: ProbeMessage): void {
    this.#probes.push({ atMs: performance.now(), figures });
  }

  /** MB per minute, after the process has warmed up: of what is resident, and of what is live. */
  growth(): { readonly rss: number; readonly live: number } {
    const warm = this.#probes.slice(Math.floor(this.#probes.length * WARM_UP_SHARE));
    const live = warm.flatMap(({ atMs, figures }) =>
      figures.liveMb === null ? [] : [{ x: atMs / MINUTE_MS, y: figures.liveMb }],
    );
    return {
      rss: slope(warm.map(({ atMs, figures }) => ({ x: atMs / MINUTE_MS, y: figures.rssMb }))),
      live: slope(live),
    };
  }

  summary(): string {
    const newest = this.#probes.at(-1)?.figures;
    if (newest === undefined) return "no word from the daemon yet";
    const live = this.#probes.findLast(({ figures }) => figures.liveMb !== null)?.figures.liveMb;
    const since = this.#probes.slice(-RECENT).map(({ figures }) => figures);
    const delayP99 = percentile(
      since.map((figures) => figures.delayP99),
      0.5,
    );
    const delayMax = Math.max(...since.map((figures) => figures.delayMax));
    return (
      `${this.#recorded} recorded of ${this.#orchestrator.committed.size}, resident ${newest.rssMb.toFixed(0)} MB ` +
      `(${live?.toFixed(1)} live), event loop late by ${delayP99.toFixed(1)} ms p99, ${delayMax.toFixed(0)} ms at most`
    );
  }

  /** From the beginning of a merge's transaction to the commit of its rows. */
  lags(): string[] {
    const manners = new Map<Manner, number[]>();
    for (const [eventId, manner] of this.#orchestrator.committed) {
      const lag = this.#lagOf.get(eventId);
      if (lag !== undefined) manners.set(manner, [...(manners.get(manner) ?? []), lag]);
    }
    return [...manners].map(([manner, lags]) => {
      const figures = [0.5, 0.9, 0.99, 1].map((p) => percentile(lags, p).toFixed(1)).join(" / ");
      return `lag of ${lags.length} merges ${manner}: ${figures} ms (p50 / p90 / p99 / max)`;
    });
  }
}
