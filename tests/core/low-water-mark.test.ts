/** Settling: no unread row may appear at or below the low-water mark, however transactions overlap. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LowWaterMark } from "../../src/core/low-water-mark.ts";

type Transaction = {
  name: string;
  readonly ids: bigint[];
  state: "open" | "prepared" | "committed" | "gone";
};

/** A sequence, a table and its locks, as far as a look at them can tell. */
class Table {
  #next = 1n;
  #begun = 0;
  #renamed = 0;
  readonly transactions: Transaction[] = [];

  begin(): void {
    this.#begun += 1;
    this.transactions.push({ name: `3/${this.#begun}`, ids: [this.#next++], state: "open" });
  }

  /** Prepared transactions alone survive, under other names; the names of sessions begin again. */
  restart(): void {
    this.#begun = 0;
    for (const one of this.transactions) {
      if (one.state === "open") this.abort(one);
      if (one.state === "committed") one.state = "gone";
      if (one.state === "prepared" && !one.name.startsWith("-1/")) one.name = `-1/${this.#renamed++}`;
    }
  }

  drawAgain(one: Transaction): void {
    one.ids.push(this.#next++);
  }

  abort(one: Transaction): void {
    one.state = "gone";
    this.aborted.add(one);
  }

  get holders(): Set<string> {
    return new Set(this.transactions.filter(({ state }) => state !== "gone").map(({ name }) => name));
  }

  readonly aborted = new Set<Transaction>();
  get visible(): bigint[] {
    return this.transactions
      .filter((one) => (one.state === "committed" || one.state === "gone") && !this.aborted.has(one))
      .flatMap(({ ids }) => ids);
  }

  /** As the sequence tells it. */
  get drawn(): bigint {
    return this.#next - 1n;
  }

  get newest(): bigint {
    return this.visible.reduce((a, b) => (a > b ? a : b), 0n);
  }
}

const action = fc.oneof(
  { weight: 4, arbitrary: fc.constant("begin" as const) },
  { weight: 2, arbitrary: fc.constant("draw again" as const) },
  { weight: 1, arbitrary: fc.constant("prepare" as const) },
  { weight: 4, arbitrary: fc.constant("commit" as const) },
  { weight: 4, arbitrary: fc.constant("let go" as const) },
  { weight: 1, arbitrary: fc.constant("abort" as const) },
  { weight: 1, arbitrary: fc.constant("restart" as const) },
  { weight: 4, arbitrary: fc.constant("look" as const) },
  { weight: 4, arbitrary: fc.constant("read" as const) },
);
const steps = fc.array(fc.tuple(action, fc.nat(20)), { maxLength: 120, size: "max" });

function act(table: Table, what: string, pick: number): void {
  if (what === "begin") return table.begin();
  if (what === "restart") return table.restart();
  const candidates = table.transactions.filter(({ state }) =>
    what === "let go"
      ? state === "committed"
      : state === "open" || (state === "prepared" && (what === "commit" || what === "abort")),
  );
  const one = candidates[pick % Math.max(1, candidates.length)];
  if (one === undefined) return;
  if (what === "draw again") table.drawAgain(one);
  if (what === "prepare") one.state = "prepared";
  // A commit is visible before its locks are let go.
  if (what === "commit") one.state = "committed";
  if (what === "let go") one.state = "gone";
  if (what === "abort") table.abort(one);
}

describe("the low-water mark", () => {
  it("of the sequence rises over no id of it that may still bring a row, also where an id by hand is above all of them", () => {
    fc.assert(
      fc.property(steps, fc.bigInt(0n, 50n), (all, byHand) => {
        const table = new Table();
        const mark = new LowWaterMark(0n);
        let looked = false;
        const look = () => {
          const { newest, holders, drawn } = table;
          mark.observe(newest > byHand ? newest : byHand, holders, drawn);
          looked = true;
        };
        const settle = () => {
          if (!looked) return;
          const visible = new Set(table.visible);
          mark.settle();
          looked = false;
          const hidden = table.transactions
            .filter((one) => !table.aborted.has(one))
            .flatMap(({ ids }) => ids)
            .filter((id) => id <= mark.drawnLow && !visible.has(id));
          expect(hidden).toEqual([]);
        };
        for (const [what, pick] of all) {
          if (what === "look") look();
          else if (what === "read") settle();
          else act(table, what, pick);
        }
        for (const one of table.transactions) one.state = "gone";
        for (let round = 0; round < 2; round += 1) {
          look();
          settle();
        }
        const { drawn, newest } = table;
        const top = newest > byHand ? newest : byHand;
        expect(mark.drawnLow > 0n ? mark.drawnLow : 0n).toBe(drawn < top ? drawn : top);
      }),
      { numRuns: 500 },
    );
  });

  it("rises over no row that was not read, and over all in the end", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const table = new Table();
        const mark = new LowWaterMark(0n);
        const read = new Set<bigint>();
        let pending: { after: bigint; upTo: bigint } | null = null;
        const look = () => {
          const { newest, holders } = table;
          pending = { after: mark.observe(newest, holders), upTo: newest };
        };
        const readOn = () => {
          if (pending === null) return;
          const { after, upTo } = pending;
          for (const id of table.visible) if (id > after && id <= upTo) read.add(id);
          const before = mark.low;
          mark.settle();
          pending = null;
          expect(mark.low >= before).toBe(true);
          // Whatever will still become visible stands above the mark; what is visible below it was read.
          const hidden = table.transactions
            .filter((one) => one.state !== "gone" || !table.aborted.has(one))
            .flatMap(({ ids }) => ids)
            .filter((id) => id <= mark.low && !read.has(id));
          expect(hidden).toEqual([]);
        };
        for (const [what, pick] of all) {
          if (what === "look" && pending === null) look();
          else if (what === "read") readOn();
          else if (what !== "look") act(table, what, pick);
        }
        // Everything ends: two rounds settle it all.
        readOn();
        for (const one of table.transactions) one.state = "gone";
        for (let round = 0; round < 2; round += 1) {
          look();
          readOn();
        }
        expect(mark.low).toBe(table.newest);
        expect(table.visible.filter((id) => !read.has(id))).toEqual([]);
        expect(mark.holders.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("is not held by a transaction that is given up on, nor are rows read twice for it", () => {
    const mark = new LowWaterMark(0n);
    expect(mark.observe(5n, new Set(["3/1"]))).toBe(0n);
    mark.settle();
    expect([mark.low, mark.top, [...mark.holders]]).toEqual([0n, 5n, ["3/1"]]);
    expect(mark.observe(9n, new Set(["3/1"]))).toBe(5n);
    mark.giveUpOn("3/1");
    mark.settle();
    expect(mark.low).toBe(9n);
    expect(mark.observe(12n, new Set(["3/1", "3/2"]))).toBe(9n);
    expect([...mark.holders]).toEqual(["3/2"]);
    expect(mark.observe(12n, new Set())).toBe(9n);
    mark.settle();
    expect(mark.low).toBe(12n);
    mark.observe(15n, new Set(["3/1"]));
    expect([...mark.holders]).toEqual(["3/1"]);
  });

  it("names everybody who is waited for, also those who are not the first in its way", () => {
    const mark = new LowWaterMark(0n);
    mark.observe(5n, new Set(["3/1"]));
    mark.settle();
    mark.observe(9n, new Set(["3/1", "3/2"]));
    mark.settle();
    expect([...mark.holders]).toEqual(["3/1", "3/2"]);
  });

  it("waits for a prepared transaction under the name that a restart of the server gives it", () => {
    const mark = new LowWaterMark(0n);
    mark.observe(5n, new Set(["3/1"]));
    mark.settle();
    expect(mark.observe(5n, new Set(["-1/700"]))).toBe(0n);
    mark.settle();
    expect([mark.low, [...mark.holders]]).toEqual([0n, ["-1/700"]]);
    expect(mark.observe(5n, new Set())).toBe(0n);
    mark.settle();
    expect(mark.low).toBe(5n);
  });

  it("waits for it too when a stranger bears its old name by then", () => {
    const mark = new LowWaterMark(0n);
    mark.observe(5n, new Set(["3/1"]));
    mark.settle();
    mark.observe(5n, new Set(["3/1", "-1/700"]));
    mark.settle();
    mark.observe(5n, new Set(["-1/700"]));
    mark.settle();
    expect([mark.low, [...mark.holders]]).toEqual([0n, ["-1/700"]]);
    expect(mark.observe(5n, new Set())).toBe(0n);
  });

  it("reads again only from where a transaction ended", () => {
    const mark = new LowWaterMark(0n);
    mark.observe(5n, new Set(["3/1"]));
    mark.settle();
    mark.observe(9n, new Set(["3/1", "3/2"]));
    mark.settle();
    expect(mark.observe(12n, new Set(["3/1"]))).toBe(5n);
    mark.settle();
    expect(mark.observe(12n, new Set())).toBe(0n);
  });
});
