/** What is kept of a long history is bounded, and is its newest part. */
import { describe, expect, it } from "vitest";
import { Differences } from "../../src/core/difference.ts";
import { MergeReconciliation } from "../../src/core/reconcile-merges.ts";
import { Simulation } from "../../src/core/simulation.ts";
import { Timeline } from "../../src/core/timeline.ts";
import { CLEAN, FIRST_PASS, history, journal, REWORKED, record, SMALL, times } from "./build.ts";
import { EVENTFUL, ROWS, walk } from "./walk.ts";

describe("of a long history are kept", () => {
  it("a simulation's newest points, of its own project alone", () => {
    const all = history(
      Array.from({ length: 40 }, (_, nth) => ({ project: nth % 4 === 3 ? "zeus" : "atlas" })),
    );
    const simulation = new Simulation(
      [{ ...FIRST_PASS, window: 3, record: ["global", "project"], gate: null }],
      {
        projects: ["atlas"],
        last: 4,
      },
    );
    for (const merge of all) simulation.accept({ seq: null, merge, rows: [] });
    const { gate, points } = simulation.series("first_pass_merge_rate", "atlas");
    expect(gate).toBeNull();
    expect(points.map(({ seq, value, state }) => [seq, value, state])).toStrictEqual([
      [27, 1, null],
      [28, 1, null],
      [29, 1, null],
      [30, 1, null],
    ]);
    expect(simulation.series("first_pass_merge_rate", "zeus").points).toStrictEqual([]);
  });

  it("a simulation's newest crossings, while all of them are counted", () => {
    const restless = history(times(1_100, [times(3, CLEAN), times(3, REWORKED)]).flat(2));
    const simulation = new Simulation(SMALL, { projects: [], last: 10 });
    const timeline = new Timeline();
    const merges = journal(record(restless, SMALL).rows).map((raw) => timeline.accept(raw));
    for (const one of [...merges, timeline.end()]) if (one !== null) simulation.accept(one);
    const kept = simulation.crossings("first_pass_merge_rate", null);
    const { up = 0, down = 0 } = simulation.outcome("first_pass_merge_rate", null)?.crossings ?? {};
    expect(up + down).toBe(2_200);
    expect(kept).toHaveLength(1_000);
    expect(kept.at(-1)?.seq).toBe(6_599);
    expect(kept.map(({ to }) => to)).toStrictEqual(kept.map((_, nth) => (nth % 2 === 0 ? "high" : "low")));
  });

  it("ten merges whose facts have changed since, while all of them are counted", () => {
    const { verifier } = walk(ROWS);
    const audit = new MergeReconciliation(verifier, new Differences(10), null);
    for (const { eventId, workItemId, mergedAt } of EVENTFUL)
      audit.accept({ eventId, workItemId, mergedAt, ageMs: null, facts: null });
    expect([audit.counts.drifted, audit.drifted.length]).toStrictEqual([EVENTFUL.length, 10]);
  });
});

describe("a merge without a work item", () => {
  it("that is missing is named by its event, whatever its age", () => {
    const { verifier, differences } = walk(
      ROWS.filter(({ payload }) => payload?.includes(`"event_id":"${EVENTFUL[11]?.eventId}"`) !== true),
    );
    const audit = new MergeReconciliation(verifier, differences, null);
    audit.accept({ eventId: "1001", workItemId: null, mergedAt: null, ageMs: 3_600_000, facts: null });
    audit.accept({ eventId: "1002", workItemId: null, mergedAt: null, ageMs: null, facts: null });
    audit.conclude(0);
    expect(differences.first.at(-1)).toMatchObject({
      kind: "merge_missing",
      event_id: "1001",
      expected: expect.stringContaining("this event"),
    });
    expect(audit.counts.waiting).toBe(1);
  });
});
