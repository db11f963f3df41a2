/** The table of faults names tests that there are, and no fault is without one. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const PAGE = readFileSync(new URL("README.md", import.meta.url), "utf8");
const cited = [...PAGE.matchAll(/\[[\w-]+\]\(([^)]+)\): (.+?)(?=<br>| \|\n|\n)/g)].map(
  ([, file = "", title = ""]) => ({
    file,
    title,
  }),
);

describe("tests/faults/README.md", () => {
  it("names tests by titles that are in their files", () => {
    const missing = cited.filter(
      ({ file, title }) => !readFileSync(new URL(file, import.meta.url), "utf8").includes(title),
    );
    expect(cited.length).toBeGreaterThan(100);
    expect(missing).toEqual([]);
  });

  it("has a row for every fault from F1 to F36, and none without a test", () => {
    const rows = [...PAGE.matchAll(/^\| F(\d+) \| .+ \| \[.+ \|$/gm)].map(([, number]) => Number(number));
    expect(rows).toEqual(Array.from({ length: 36 }, (_, index) => index + 1));
  });

  it("has a row for every fault of the second list that was found and fixed", () => {
    const rows = [...PAGE.matchAll(/^\| (G\d+(?:, G\d+)*) \| .+ \| \[.+ \|$/gm)];
    const numbers = new Set(rows.flatMap(([, names = ""]) => names.split(", ")));
    const expected = [...Array.from({ length: 28 }, (_, index) => index + 1), 31, 32].map((n) => `G${n}`);
    expect([...numbers].toSorted()).toEqual(expected.toSorted());
  });
});
