/** The order of projects is the same in every language: that of their UTF-8 bytes. */
import { expect, it } from "vitest";
import { byCodePoint } from "../../src/core/snapshot.ts";
import { driftFacts } from "../../src/core/verification.ts";

const bytes = (name: string) => Buffer.from(name, "utf8");

it("strings are ordered as their UTF-8 bytes are, the shorter one first", () => {
  const names = ["b", "ab", "", "a", "\u{1f600}", "\uffee", "é", "a\u0300", "__proto__", "ab"];
  expect(names.toSorted(byCodePoint)).toStrictEqual(
    names.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b))),
  );
  expect(byCodePoint("ab", "ab")).toBe(0);
});

it("a work item that has lost its attempts since is shown without", () => {
  expect(driftFacts({ project: "atlas", attempts: null, lastVerdict: null }, null)).toStrictEqual({
    project: "atlas",
    attempts: null,
    last_verdict: null,
    merged_at: null,
  });
});
