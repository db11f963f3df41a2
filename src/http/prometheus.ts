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

const SOURCES: readonly WakeUpSource[] = ["notification", "listening", "loss", "timer", "shutdown"];
const CONNECTIONS = ["database", "listen"] as const;

type Labels = Readonly<Record<string, readonly string[]>>;

/** Counters with labels, and the values of these. A label whose values are known starts at 0, so that a rate sees the first count. */
const LABELLED = {
  merges_skipped_total: [
    "Merges that this process skipped because their facts are unusable.",
    { reason: SKIP_REASONS },
  ],
  merges_late_total: [
    "Recorded merges that became visible after one with a higher id, by what found them.",
    { found_by: ["poll", "reconciliation"] },
  ],
  // Which gates exist is configured: see #startCrossings.
  crossings_total: ["Gates that crossed a threshold.", { gate: [], scope: [], to: [] }],
  reconnects_total: ["Connections after the first one.", { connection: CONNECTIONS }],
  connection_failures_total: ["Connections lost or not made.", { connection: CONNECTIONS }],
  wakeups_total: [
    "Times that the loop was woken, by what rang first: the timer alone means that no notification arrives.",
    { source: SOURCES },
  ],
} as const satisfies Readonly<Record<string, readonly [help: string, labels: Labels]>>;

/** In seconds: what a notification, a poll, an outage and a night's backlog take. */
const COMMIT_TO_RECORD_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600];

export class Prometheus {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter<string>>();
  readonly #commitToRecord = new Histogram({
    name: `${PREFIX}commit_to_record_seconds`,
    help: "From a transition row's created_at to the commit of its metric rows.",
    buckets: COMMIT_TO_RECORD_BUCKETS,
    registers: [this.#registry],
  });
  readonly #connected = new Set<(typeof CONNECTIONS)[number]>();

  constructor() {
    for (const [name, help] of Object.values(TIMES)) this.#add(name, help, {});
    for (const [name, [help, labels]] of Object.entries(LABELLED)) this.#add(name, help, labels);
  }

  /** Adds the figures of the process itself: memory, CPU, the event loop's delay. */
  observeProcess(): this {
    collectDefaultMetrics({ register: this.#registry });
    return this;
  }

  accept(event: DaemonEvent): void {
    const [name] = TIMES[event.event] ?? [];
    if (name !== undefined) this.#counters.get(name)?.inc();
    // Most events have no labels to count by.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (event.event) {
      case "merge.recorded":
        if (event.late) this.#count("merges_late_total", { found_by: event.found_by });
        if (event.commit_to_record_ms !== null)
          this.#commitToRecord.observe(Math.max(0, event.commit_to_record_ms) / 1000);
        return;
      case "merge.skipped":
        return this.#count("merges_skipped_total", { reason: event.reason });
      case "threshold.crossed": {
        const { gate, scope, to } = event;
        return this.#count("crossings_total", { gate, scope, to });
      }
      case "db.connected":
        return this.#connection("database");
      case "db.connect_failed":
      case "db.disconnected":
      case "db.refused":
        return this.#count("connection_failures_total", { connection: "database" });
      case "listen.connected":
        return this.#connection("listen");
      case "listen.lost":
      case "listen.degraded":
        return this.#count("connection_failures_total", { connection: "listen" });
      default:
    }
  }

  wokenBy(source: WakeUpSource): void {
    this.#count("wakeups_total", { source });
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

  /** Starts each gate's crossings at 0. */
  #startCrossings(metrics: Scrape["metrics"]): void {
    for (const { gate, record } of metrics) {
      for (const scope of gate === null ? [] : record) {
        for (const to of ["low", "high"])
          this.#count("crossings_total", { gate: gate?.name ?? "", scope, to }, 0);
      }
    }
  }

  #connection(connection: (typeof CONNECTIONS)[number]): void {
    if (this.#connected.has(connection)) this.#count("reconnects_total", { connection });
    this.#connected.add(connection);
  }

  #count(name: keyof typeof LABELLED, labels: Readonly<Record<string, string>>, times = 1): void {
    this.#counters.get(name)?.inc(labels, times);
  }

  #add(name: string, help: string, labels: Labels): void {
    const labelNames = Object.keys(labels);
    const counter = new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers: [this.#registry] });
    this.#counters.set(name, counter);
    for (const [label, values] of Object.entries(labels))
      for (const value of values) counter.inc({ [label]: value }, 0);
  }
}
