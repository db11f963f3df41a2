import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyTable } from "../../src/core/key-table.ts";

const id = fc
  .oneof(fc.bigInt({ min: -(2n ** 59n), max: 2n ** 59n }), fc.bigInt({ min: -5n, max: 30n }))
  .map(String);
const key = fc.oneof(id, fc.string(), fc.uuid());

describe("a table of keys", () => {
  it("knows what was added and nothing else, and keeps the first value", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.nat())), fc.array(key), (added, asked) => {
        const table = new KeyTable();
        const expected = new Map<string, number>();
        for (const [one, value] of added) {
          expect(table.add(one, value)).toBe(!expected.has(one));
          if (!expected.has(one)) expected.set(one, value);
        }
        expect(table.size).toBe(expected.size);
        for (const one of [...expected.keys(), ...asked]) {
          const place = table.find(one);
          expect(place === null ? undefined : table.value(place)).toBe(expected.get(one));
        }
      }),
    );
  });

  it("grows over many, and tells the ids that were not marked", () => {
    const table = new KeyTable();
    const ids = Array.from({ length: 20_000 }, (_, index) => String((BigInt(index) - 10_000n) * 10n ** 13n));
    for (const one of ids) table.add(one);
    ids.forEach((one, index) => {
      const place = table.find(one);
      if (place !== null && index % 7 !== 0) table.mark(place);
    });
    const left = ids.filter((_, index) => index % 7 === 0);
    expect([...table.unmarkedIds()].toSorted()).toStrictEqual(left.toSorted());
  });
});
