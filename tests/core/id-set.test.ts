import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IdSet } from "../../src/core/id-set.ts";

const id = fc
  .oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -70n, max: 200n }),
    fc.bigInt({ min: 2n ** 53n - 70n, max: 2n ** 53n + 70n }),
    fc.bigInt({ min: 2n ** 32n - 70n, max: 2n ** 32n + 70n }),
  )
  .map(String);
const odd = fc.constantFrom(
  "007",
  "-0",
  "+1",
  " 1",
  "1e3",
  "9223372036854775808",
  "-9223372036854775809",
  "",
);
const key = fc.oneof(id, odd, fc.string(), fc.uuid());

describe("a set of ids", () => {
  it("knows what was added and nothing else", () => {
    fc.assert(
      fc.property(fc.array(key), fc.array(key), (added, asked) => {
        const set = new IdSet();
        const expected = new Set<string>();
        for (const one of added) {
          expect(set.add(one)).toBe(!expected.has(one));
          expected.add(one);
        }
        for (const one of [...added, ...asked]) expect(set.has(one)).toBe(expected.has(one));
      }),
    );
  });

  it.each([
    ["neighbours", 1n],
    ["far apart", 10n ** 12n],
  ])("grows over many, %s", (_, step) => {
    const set = new IdSet();
    const ids = Array.from({ length: 20_000 }, (__, index) => String((BigInt(index) - 10_000n) * step));
    ids.forEach((one, index) => {
      if (index % 7 !== 0) set.add(one);
    });
    expect(ids.filter((one) => !set.has(one))).toStrictEqual(ids.filter((__, index) => index % 7 === 0));
  });
});
