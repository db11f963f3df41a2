import { describe, expect, test } from "vitest";
import { Readiness } from "../../src/events/readiness.ts";
import { LatePrometheus } from "../../src/http/late-prometheus.ts";
import type { Prometheus } from "../../src/http/prometheus.ts";

const lag = { merges: 0, seconds: 0 };

async function exposed(prometheus: Prometheus): Promise<string> {
  return prometheus.expose({
    metrics: [],
    readiness: new Readiness(() => new Date(0)).current(),
    lag,
    snapshot: null,
  });
}

describe("counting that is loaded late", () => {
  test("counts what was reported before it was loaded, and after", async () => {
    const late = new LatePrometheus();
    late.accept({ event: "checkpoint.written", seq: 1, bytes: 1 });
    late.wokenBy("timer");
    late.accept({ event: "daemon.ready", seq: 1, took_ms: 1 });
    late.accept({ event: "checkpoint.written", seq: 2, bytes: 1 });
    const prometheus = await late.load();
    late.accept({ event: "checkpoint.written", seq: 3, bytes: 1 });
    const text = await exposed(prometheus);
    expect(text).toContain("damascus_metrics_checkpoints_written_total 3\n");
    expect(text).toContain('damascus_metrics_wakeups_total{source="timer"} 1\n');
    expect(text).toContain("process_cpu_seconds_total");
  });

  test("is loaded once, however often it is asked for", async () => {
    const late = new LatePrometheus();
    const [one, other] = await Promise.all([late.load(), late.load()]);
    expect(one).toBe(other);
    expect(await late.load()).toBe(one);
  });

  test("counts a backlog that is longer than what it keeps", async () => {
    const late = new LatePrometheus();
    for (let seq = 1; seq <= 10_000; seq += 1) late.accept({ event: "checkpoint.written", seq, bytes: 1 });
    expect(await exposed(await late.load())).toContain("damascus_metrics_checkpoints_written_total 10000\n");
  });
});
