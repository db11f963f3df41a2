/** What all parts of one recorder share: its connection, its settings, and the process around it. */
import type { Clock } from "../clock.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { Report } from "../events/daemon-event.ts";
import type { OutboxLog } from "../outbox/outbox-log.ts";
import type { Reported } from "./reported.ts";

export type RecorderSettings = {
  readonly metrics: readonly MetricSettings[];
  /** Written into every row, e.g. `damascus-metrics/1.0.0`. */
  readonly producer: string;
};

export type RecorderPorts = {
  readonly report: Report;
  /** What this process has reported already, over whichever connection. */
  readonly reported: Reported;
  readonly clock: Clock;
  /** Heeded between transactions. */
  readonly stop: AbortSignal;
};

export type Session = RecorderSettings & RecorderPorts & { readonly log: OutboxLog };
