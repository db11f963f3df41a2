/** What a daemon with full windows exports. */

import { Readiness } from "../../src/events/readiness.ts";
import { Prometheus } from "../../src/http/prometheus.ts";
import { PREFIX } from "../../src/http/series.ts";
import { GLOBAL, metricOf, OVERLAP, snapshotWith } from "../cli/snapshot-example.ts";
import { CONTRACT } from "../core/build.ts";

export async function exposition(): Promise<string> {
  const effective = { scope: "project", value: 0.07, state: "low" } as const;
  const full = { value: 0.07, numerator: 7, n: 100, window: 100 };
  return await new Prometheus().observeProcess().expose({
    metrics: CONTRACT,
    readiness: new Readiness(() => new Date(0)).current(),
    lag: { merges: 0, seconds: 0 },
    snapshot: snapshotWith({
      metrics: [...GLOBAL, metricOf("rebase_conflict_rate", "atlas", { ...full, gate: OVERLAP, effective })],
    }),
  });
}

/** The series of ours that a text names and that are not exported. */
export async function unknownSeries(text: string): Promise<string[]> {
  const series = new RegExp(`${PREFIX}\\w+`, "g");
  const exported = new Set((await exposition()).match(series));
  return [...new Set(text.match(series))].filter((name) => !exported.has(name));
}
