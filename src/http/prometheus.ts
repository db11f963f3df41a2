/**
 * `/metrics`: what the process has counted of its events, and what memory says at the moment of the scrape.
 *
 * Counters and the histogram live as long as the process. Everything else is built for each scrape (`series.ts`), so that
 * no series outlives its subject.
 */
import { Counter, collectDefaultMetrics, Histogram, Registry } from "@prometheus-io/client";
import { SKIP_REASONS } from "../core/merge.ts";
import type { DaemonEvent } from "../events/daemon-event.ts";
import type { WakeUpSource } from "../recorder/bell.ts";
import { PREFIX, type Scrape, seriesOf } from "./series.ts";

/** Counters of how often an event was reported. */
const TIMES: { readonly [Name in DaemonEvent["event"]]?: readonly [name: string, help: string] } = {
  "merge.recorded": ["merges_recorded_total", "Merges that this process recorded."],
  "merge.duplicate_ignored": ["merges_duplicate_total", "Further merges of a work item, which do not count."],
  "merge.refused": ["merges_refused_total", "Merges that events_outbox refused; each is retried."],
  "merge.presumed_recorded": [
    "merges_presumed_recorded_total",
    "Merges taken as recorded because they are older than what retention left.",
  ],
  "writer.fenced": [
    "writer_fenced_total",
    "Transactions given up because a peer daemon had recorded everything first.",
  ],
  "commit.unknown": ["commits_unknown_total", "Commits without an answer, whose outcome the log showed."],
  "reconciliation.completed": ["reconciliations_total", "Comparisons of the whole log with the journal."],
  "restore.completed": ["restores_total", "Times that memory was read from the journal."],
  "checkpoint.written": ["checkpoints_written_total", "Checkpoints written."],
};

const WAKE_UP_SOURCES: readonly WakeUpSource[] = ["notification", "listening", "loss", "timer", "shutdown"];
const CONNECTIONS = ["database", "listen"] as const;

/** In seconds: what a notification, a poll, an outage and a night's backlog take. */
const COMMIT_TO_RECORD_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600];

export class Prometheus {
  readonly #registry = new Registry();
  readonly #times = new Map(
    Object.entries(TIMES).map(([event, [name, help]]) => [event, this.#counter(name, help)]),
  );
  readonly #skipped = this.#counter(
    "merges_skipped_total",
    "Merges that this process skipped because their facts are unusable.",
    "reason",
  );
  readonly #late = this.#counter(
    "merges_late_total",
    "Recorded merges that became visible after one with a higher id, by what found them.",
    "found_by",
  );
  readonly #crossings = this.#counter(
    "crossings_total",
    "Gates that crossed a threshold.",
    "gate",
    "scope",
    "to",
  );
  readonly #reconnects = this.#counter("reconnects_total", "Connections after the first one.", "connection");
  readonly #failures = this.#counter(
    "connection_failures_total",
    "Connections lost or not made.",
    "connection",
  );
  readonly #wakeUps = this.#counter(
    "wakeups_total",
    "Times that the loop was woken, by what rang first: the timer alone means that no notification arrives.",
    "source",
  );
  readonly #commitToRecord = new Histogram({
    name: `${PREFIX}commit_to_record_seconds`,
    help: "From a transition row's created_at to the commit of its metric rows.",
    buckets: COMMIT_TO_RECORD_BUCKETS,
    registers: [this.#registry],
  });
  readonly #connected = new Set<(typeof CONNECTIONS)[number]>();

  /** Every label whose values are known starts at 0, so that a rate sees the first count. */
  constructor() {
    for (const source of WAKE_UP_SOURCES) this.#wakeUps.inc({ source }, 0);
    for (const connection of CONNECTIONS) {
      this.#reconnects.inc({ connection }, 0);
      this.#failures.inc({ connection }, 0);
    }
    for (const reason of SKIP_REASONS) this.#skipped.inc({ reason }, 0);
    for (const found_by of ["poll", "reconciliation"]) this.#late.inc({ found_by }, 0);
  }

  /** Adds the figures of the process itself: memory, CPU, the event loop's delay. */
  observeProcess(): this {
    collectDefaultMetrics({ register: this.#registry });
    return this;
  }

  accept(event: DaemonEvent): void {
    this.#times.get(event.event)?.inc();
    // Most events have no labels to count by.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (event.event) {
      case "merge.recorded":
        if (event.late) this.#late.inc({ found_by: event.found_by });
        if (event.commit_to_record_ms !== null)
          this.#commitToRecord.observe(Math.max(0, event.commit_to_record_ms) / 1000);
        return;
      case "merge.skipped":
        return this.#skipped.inc({ reason: event.reason });
      case "threshold.crossed":
        return this.#crossings.inc({ gate: event.gate, scope: event.scope, to: event.to });
      case "db.connected":
        return this.#connection("database");
      case "db.connect_failed":
      case "db.disconnected":
      case "db.refused":
        return this.#failures.inc({ connection: "database" });
      case "listen.connected":
        return this.#connection("listen");
      case "listen.lost":
      case "listen.degraded":
        return this.#failures.inc({ connection: "listen" });
      default:
    }
  }

  wokenBy(source: WakeUpSource): void {
    this.#wakeUps.inc({ source });
  }

  /** The text of a scrape, in Prometheus's text format 0.0.4. */
  async expose(scrape: Scrape): Promise<string> {
    this.#startCrossings(scrape.metrics);
    const [now, counted] = await Promise.all([seriesOf(scrape), this.#registry.metrics()]);
    return `${now}\n${counted}`;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Which gates there are is configured: each of their crossings starts at 0 as well. */
  #startCrossings(metrics: Scrape["metrics"]): void {
    for (const metric of metrics) {
      for (const scope of metric.record) {
        for (const to of ["low", "high"]) {
          if (metric.gate !== null) this.#crossings.inc({ gate: metric.gate.name, scope, to }, 0);
        }
      }
    }
  }

  #connection(connection: (typeof CONNECTIONS)[number]): void {
    if (this.#connected.has(connection)) this.#reconnects.inc({ connection });
    this.#connected.add(connection);
  }

  #counter<Label extends string = never>(
    name: string,
    help: string,
    ...labelNames: readonly Label[]
  ): Counter<Label> {
    return new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers: [this.#registry] });
  }
}
