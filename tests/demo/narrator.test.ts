/** What the demo makes of the daemon's real log lines: merges summed up, crossings and warnings always, one line each. */
import { describe, expect, it } from "vitest";
import { narrator } from "../../demo/narrator.ts";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import { createLogger } from "../../src/events/log.ts";

type EventOf<N extends DaemonEvent["event"]> = Extract<DaemonEvent, { event: N }>;

/** The line that the daemon prints. */
function line(event: DaemonEvent): string {
  let printed = "";
  const output = {
    write(text: string) {
      printed += text;
    },
  };
  createLogger({ level: "info", instance: "test", output, pretty: false }).report(event);
  return printed.trimEnd();
}

function merge(seq: number, fields: Partial<EventOf<"merge.recorded">> = {}): string {
  return line({
    event: "merge.recorded",
    seq,
    event_id: String(seq),
    work_item_id: String(seq),
    project: "atlas",
    attempts: 1,
    values: { first_pass_merge_rate: 0.88, rebase_conflict_rate: null, p95_attempts_to_merge: 3 },
    commit_to_record_ms: 2,
    late: false,
    found_by: "poll",
    batch: 1,
    ...fields,
  });
}

const CROSSED: EventOf<"threshold.crossed"> = {
  event: "threshold.crossed",
  metric: "first_pass_merge_rate",
  gate: "trust",
  scope: "global",
  project: null,
  from: "low",
  to: "high",
  value: 0.86,
  upper: 0.85,
  lower: 0.7,
  permissive: true,
};

describe("the demo's narrator", () => {
  it("prints the rates after every tenth merge, and each crossing on the way", () => {
    const { read } = narrator();
    const lines = [
      read(line({ event: "merge.duplicate_ignored", event_id: "7", work_item_id: "3" })),
      ...Array.from({ length: 20 }, (_, index) => read(merge(index + 1, { late: index === 3 }))),
    ].flat();
    expect(lines).toEqual([
      "merge   10  first pass  88.0%  conflicts     –  p95 3  1 late, 1 repeat ignored",
      "merge   20  first pass  88.0%  conflicts     –  p95 3",
    ]);
  });

  it("names the project where it says each merge", () => {
    const { read, summarise } = narrator();
    summarise(1);
    expect(read(merge(3, { project: "🦊 foxglove" }))[0]).toMatch(/^merge {4}3 {2}🦊 foxglove +first pass/);
  });

  it.each<[Partial<typeof CROSSED>, string]>([
    [{}, "▲ trust: low → HIGH   first_pass_merge_rate 86.0% (up at >= 85.0%)"],
    [
      { to: "low", from: "high", value: 0.68, permissive: false },
      "▼ trust: high → LOW   first_pass_merge_rate 68.0% (down below 70.0%)",
    ],
    [
      { scope: "project", project: "atlas" },
      "▲ trust of atlas: low → HIGH   first_pass_merge_rate 86.0% (up at >= 85.0%)",
    ],
  ])("says each crossing in one line (%#)", (fields, expected) => {
    expect(narrator().read(line({ ...CROSSED, ...fields }))).toEqual([expected]);
  });

  it("says when a window is full", () => {
    const { metric, scope, project } = CROSSED;
    const full = line({ event: "metric.defined", metric, scope, project, value: 0.9 });
    expect(narrator().read(full)).toEqual(["first_pass_merge_rate is defined: 90.0%"]);
  });

  it("says every warning and error with its own fields", () => {
    const skipped = line({
      event: "merge.skipped",
      event_id: "48",
      work_item_id: null,
      reason: "attempts_invalid",
    });
    expect(narrator().read(skipped)).toEqual([
      "merge skipped, its facts are unusable  event_id=48  reason=attempts_invalid",
    ]);
  });

  it("keeps what is no log line, and lets nothing drive the terminal", () => {
    expect(narrator().read("Error: \u001b[2Jno")).toEqual(["Error: \\x1b[2Jno"]);
    const warning = line({ event: "db.warning", warning: "a\nb" });
    expect(narrator().read(warning)[0]).toContain("warning=a\\x0ab");
  });
});
