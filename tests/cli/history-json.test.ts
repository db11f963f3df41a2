/** The pieces of a history's JSON are the document, and none of them is large. */
import { describe, expect, it } from "vitest";
import { historyJson } from "../../src/cli/history-text.ts";
import type { History, HistorySeries } from "../../src/core/history.ts";
import { jsonText } from "../../src/text/safe.ts";
import { point, points, ROSE } from "../core/points.ts";

const series = (some: Partial<HistorySeries>): HistorySeries => ({
  metric: "first_pass_merge_rate",
  scope: "project",
  project: "a]\n[],\u202e",
  source: "recorded",
  gate: { name: "trust", upper: 0.85, lower: 0.7 },
  points: [...points(null, 0.5), point(8, 0.86, { state: "high", crossing: ROSE })],
  ...some,
});

const history = (...all: HistorySeries[]): History => ({
  schema_version: 1,
  as_of: { seq: 9, event_id: "1063", merged_at: null, generated_at: "2026-11-22T12:00:00.000Z" },
  series: all,
});

describe("the pieces of a history", () => {
  it.each([
    ["of several series", history(series({}), series({ gate: null, project: null }))],
    ["of a series without points", history(series({ points: [] }), series({}), series({ points: [] }))],
    ["of no series", history()],
  ])("%s are its JSON", (_, document) => {
    expect([...historyJson(document)].join("")).toBe(jsonText(document, 2));
  });

  it("are small, even of many points", () => {
    const long = history(series({ points: Array.from({ length: 20_000 }, (_, nth) => point(nth, 0.5)) }));
    const pieces = [...historyJson(long)];
    expect(pieces.join("")).toBe(jsonText(long, 2));
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(250_000);
  });
});
