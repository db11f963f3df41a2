/** The demo's story: whatever the seed, both gates cross in both directions, and everything awkward happens. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BUSY_PROJECT, scenario, type Transaction, WHOLE_STORY, WINDOWS } from "../../demo/scenario.ts";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { type Merge, readFacts } from "../../src/core/merge.ts";
import type { CrossingPayload } from "../../src/core/metric-event.ts";
import { FIRST_PASS, REBASE } from "../core/build.ts";

const SEEDS = Array.from({ length: 300 }, (_, index) => index);
/** As in config/metrics.json, which the first test compares. */
const METRICS = [FIRST_PASS, REBASE];

const stories = new Map<number, readonly Transaction[]>();

/** The story up to its last merge, told once. */
function story(seed: number): readonly Transaction[] {
  let told = stories.get(seed);
  if (told === undefined) {
    told = tell(seed);
    stories.set(seed, told);
  }
  return told;
}

function tell(seed: number): readonly Transaction[] {
  const told: Transaction[] = [];
  let merges = 0;
  for (const transaction of scenario(seed)) {
    told.push(transaction);
    if (transaction.counts) merges += 1;
    if (merges === WHOLE_STORY) break;
  }
  return told;
}

function mergesOf(transactions: readonly Transaction[]): Merge[] {
  return transactions
    .filter(({ counts }) => counts)
    .map(({ item, attempts, lastVerdict }) => ({
      eventId: String(item.number),
      workItemId: String(item.number),
      mergedAt: null,
      project: item.project,
      attempts,
      lastVerdict,
    }));
}

/** Global crossings, as "trust unknown→high". */
function crossings(merges: readonly Merge[]): string[] {
  const analyzer = new Analyzer(METRICS);
  return merges
    .flatMap((merge) => fold(analyzer, merge, "test"))
    .filter(
      ({ kind, payload }) =>
        kind === "metric.threshold_crossed" && (payload as CrossingPayload).scope === "global",
    )
    .map(({ payload }) => payload as CrossingPayload)
    .map(({ gate, from, to }) => `${gate} ${from}→${to}`);
}

const ALL_CROSSINGS = [
  "trust unknown→high",
  "scope_overlap unknown→low",
  "scope_overlap low→high",
  "trust high→low",
  "trust low→high",
  "scope_overlap high→low",
].toSorted();

/** The same merges as a database may show them: neighbours have changed places. */
function jostled(merges: readonly Merge[], reach: number, seed: number): Merge[] {
  const noise = (index: number) => Math.abs(Math.sin(index * 12.9898 + seed) * 43758.5453) % 1;
  return merges
    .map((merge, index) => ({ merge, place: index + reach * noise(index) }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ merge }) => merge);
}

describe("the demo's story", () => {
  it("is made for the windows and gates of the shipped configuration", () => {
    const { metrics } = JSON.parse(
      readFileSync(new URL("../../config/metrics.json", import.meta.url), "utf8"),
    );
    for (const { name, window, gate } of METRICS) expect(metrics[name]).toMatchObject({ window, gate });
    expect(WINDOWS).toMatchObject(Object.fromEntries(METRICS.map(({ name, window }) => [name, window])));
  });

  it.each([
    { order: "as told", reach: 0 },
    { order: "with neighbours up to 6 merges apart changed", reach: 6 },
  ])("crosses both gates in both directions, each once, for any seed ($order)", ({ reach }) => {
    for (const seed of SEEDS) {
      const merges = jostled(mergesOf(story(seed)), reach, seed);
      expect(crossings(merges).toSorted(), `seed ${seed}`).toEqual(ALL_CROSSINGS);
    }
  });

  it("begins transactions in time, and merges at whole numbers", () => {
    for (const seed of SEEDS) {
      const times = story(seed).map(({ at }) => at);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const merges = story(seed).filter(({ counts }) => counts);
      expect(merges.map(({ at }) => at)).toEqual(merges.map((_, index) => index + 1));
    }
  });

  it("lets each transition of an item begin where its last one ended", () => {
    for (const seed of SEEDS) {
      const items = Map.groupBy(story(seed), ({ item }) => item.number);
      for (const transactions of items.values()) {
        const committed = transactions.filter(({ ending }) => ending === "commit");
        const targets = committed.map(({ target }) => target);
        expect(committed.map(({ from }) => from)).toEqual([null, ...targets].slice(0, targets.length));
      }
    }
  });

  it("has one busy project, small ones, and a name that is not ASCII", () => {
    for (const seed of SEEDS) {
      const merges = mergesOf(story(seed));
      const counted = Map.groupBy(merges, ({ project }) => project);
      const share = (name: string) => (counted.get(name)?.length ?? 0) / merges.length;
      expect(share(BUSY_PROJECT)).toBeGreaterThanOrEqual(0.6);
      expect(share("dune")).toBeGreaterThan(0);
      expect(share("dune")).toBeLessThan(0.1);
      expect([...counted.keys()].some((name) => /\p{Extended_Pictographic}/u.test(name))).toBe(true);
    }
  });

  it("has everything that is awkward: rollbacks, repeats, late commits, silent merges, one unusable fact", () => {
    for (const seed of SEEDS) {
      const told = story(seed);
      const merged = told.filter(({ target, ending }) => target === "merged" && ending === "commit");
      expect(told.filter(({ ending }) => ending === "rollback").length).toBeGreaterThan(10);
      expect(merged.filter(({ from }) => from === "merged").length).toBeGreaterThan(2);
      expect(merged.filter(({ overtakenBy }) => overtakenBy > 0).length).toBeGreaterThan(5);
      const notified = merged.filter(({ notify }) => notify).length / merged.length;
      expect(notified).toBeGreaterThan(0.6);
      expect(notified).toBeLessThan(1);
      const unusable = merged.filter(({ item, attempts, lastVerdict }) => {
        return (
          typeof readFacts({ project: item.project, attempts: String(attempts), lastVerdict }) === "string"
        );
      });
      expect(new Set(unusable.map(({ item }) => item.number)).size).toBe(1);
      expect(unusable.every(({ counts }) => !counts)).toBe(true);
    }
  });

  it("has conflicts only after a retry, and every number of attempts from 1 to 5", () => {
    const merges = SEEDS.flatMap((seed) => mergesOf(story(seed)));
    expect(new Set(merges.map(({ attempts }) => attempts))).toEqual(new Set([1, 2, 3, 4, 5]));
    const conflicted = merges.filter(({ lastVerdict }) => lastVerdict === "rebase_conflict");
    expect(conflicted.every(({ attempts }) => attempts > 1)).toBe(true);
  });

  it("is the same for the same seed and another for another", () => {
    expect(tell(7)).toEqual(tell(7));
    expect(tell(7)).not.toEqual(tell(8));
  });

  it("continues in the same manner after its end", () => {
    const merges: Merge[] = [];
    for (const transaction of scenario(1)) {
      merges.push(...mergesOf([transaction]));
      if (merges.length === WHOLE_STORY * 3) break;
    }
    const rises = crossings(merges).filter((crossing) => crossing === "trust low→high");
    expect(rises.length).toBeGreaterThanOrEqual(3);
  });
});
