import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordedEvents } from "../../src/core/recorded-events.ts";

const INT = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const id = fc
  .oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -20n, max: 200n }),
    fc.bigInt({ min: 2n ** 53n - 20n, max: 2n ** 53n + 20n }),
  )
  .map(String);
const event = fc.oneof(
  { weight: 9, arbitrary: id },
  { weight: 1, arbitrary: fc.constantFrom("007", "9999999999999999999") },
);

function filled(events: readonly string[], value: (index: number) => number = () => 0): RecordedEvents {
  const recorded = new RecordedEvents();
  events.forEach((one, index) => {
    recorded.add(one, value(index), index);
  });
  return recorded;
}

describe("recorded events", () => {
  it("are known with their values, in whatever order they came, and nothing else is", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(event, INT), { selector: ([one]) => one, maxLength: 200 }),
        fc.array(event),
        (added, asked) => {
          const recorded = new RecordedEvents();
          const expected = new Map(added);
          for (const [one, value] of added) {
            expect(recorded.has(one)).toBe(false);
            recorded.add(one, value, 0);
          }
          for (const one of [...expected.keys(), ...asked]) {
            expect(recorded.has(one)).toBe(expected.has(one));
            expect(recorded.take(one)).toBe(expected.get(one) ?? null);
          }
          expect([...recorded.untaken()]).toStrictEqual([]);
        },
      ),
    );
  });

  it("that were not met are reported, with their times", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(event, { maxLength: 200 }),
        fc.integer({ min: 2, max: 5 }),
        (events, step) => {
          const recorded = filled(events);
          const isMet = (_: string, index: number) => index % step === 0;
          for (const one of events.filter(isMet)) recorded.take(one);
          const left = events.filter((one, index) => !isMet(one, index));
          const told = new Map([...recorded.untaken()].map(({ eventId, at }) => [eventId, at]));
          expect([...told.keys()].toSorted()).toStrictEqual(left.toSorted());
          for (const [one, at] of told) expect(events[at]).toBe(one);
        },
      ),
    );
  });

  it.each([
    ["as they were drawn", (index: number) => index],
    ["with late ones among them", (index: number) => (index % 50 === 0 ? index - 33.5 : index)],
    ["backwards, which no run can hold", (index: number) => -index],
  ])("are found among many, %s", (_, place) => {
    const events = Array.from({ length: 20_000 }, (__, index) => String(1000 + 38 * place(index)));
    const recorded = filled(events, (index) => index);
    const met = events.filter((__, index) => index % 3 !== 0);
    expect(met.map((one) => events[recorded.take(one) ?? -1])).toStrictEqual(met);
    expect(new Set([...recorded.untaken()].map(({ eventId }) => eventId))).toStrictEqual(
      new Set(events.filter((__, index) => index % 3 === 0)),
    );
    expect(recorded.has("999")).toBe(false);
  });
});
