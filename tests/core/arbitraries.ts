/** Histories and configurations for property tests: few values each, so that coincidences and bounds are common. */
import fc from "fast-check";
import type { Facts, Merge } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { FIRST_PASS, history, P95, REBASE } from "./build.ts";

const facts: fc.Arbitrary<Facts> = fc.record({
  project: fc.constantFrom("atlas", "atlas", "borealis", "__proto__", "🦉"),
  attempts: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(1, 1, 2, 3) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 31 - 1 }) },
  ),
  lastVerdict: fc.constantFrom("approve", "rebase_conflict", "needs_rebase", null),
});

/** Runs of like merges beside mixed ones: only runs drive a gate from one bound to the other. */
const stretch: fc.Arbitrary<Facts[]> = fc.oneof(
  fc.array(facts, { maxLength: 10 }),
  fc
    .tuple(fc.integer({ min: 1, max: 12 }), facts)
    .map(([count, one]) => Array.from({ length: count }, () => one)),
);

export const outcomes: fc.Arbitrary<Facts[]> = fc
  .array(stretch, { maxLength: 8, size: "max" })
  .map((stretches) => stretches.flat());

export const merges: fc.Arbitrary<Merge[]> = fc
  .tuple(outcomes, fc.boolean())
  .map(([all, dated]) => history(all).map((one) => (dated ? one : { ...one, mergedAt: null })));

const window = fc.integer({ min: 1, max: 12 });
const VERDICTS = [["rebase_conflict"], ["needs_rebase"], ["needs_rebase", "rebase_conflict"], []];

function gate(name: string): fc.Arbitrary<MetricSettings["gate"]> {
  const bounds = fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }))
    .map(([a, b]) => ({ name, upper: Math.max(a, b) / 20, lower: Math.min(a, b) / 20 }));
  return fc.option(bounds, { freq: 5 });
}

const record = fc.constantFrom<MetricSettings["record"]>(["global"], ["global", "project"]);

/** Any legal configuration: at least one metric, in the order of the catalogue. */
export const settings: fc.Arbitrary<MetricSettings[]> = fc
  .tuple(
    fc.record({ on: fc.boolean(), window, record, gate: gate("trust") }),
    fc.record({
      on: fc.boolean(),
      window,
      record,
      gate: gate("scope_overlap"),
      verdicts: fc.constantFrom(...VERDICTS),
    }),
    fc.record({ on: fc.boolean(), window, record }),
  )
  .map(([first, rebase, p95]) => {
    const chosen: MetricSettings[] = [];
    if (first.on)
      chosen.push({ ...FIRST_PASS, window: first.window, record: first.record, gate: first.gate });
    if (rebase.on || (!first.on && !p95.on)) {
      chosen.push({
        ...REBASE,
        window: rebase.window,
        record: rebase.record,
        gate: rebase.gate,
        verdicts: rebase.verdicts,
      });
    }
    if (p95.on) chosen.push({ ...P95, window: p95.window, record: p95.record });
    return chosen;
  });
