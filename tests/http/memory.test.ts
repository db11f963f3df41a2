/** What the daemon remembers as documents: the same objects until a merge is recorded, and the last ones afterwards. */
import { expect, test } from "vitest";
import { example, names } from "../page/example.ts";

test("the same readings until a merge is recorded, at any moment", () => {
  const { memory, record } = example(names(3), 120);
  const [before, again] = [memory.current(), memory.current()];
  expect(again?.snapshot.metrics).toBe(before?.snapshot.metrics);
  expect(again?.history).toBe(before?.history);
  record(1);
  expect(memory.current()?.snapshot.metrics).not.toBe(before?.snapshot.metrics);
  expect(memory.current()?.snapshot.as_of.seq).toBe(121);
});

test("while memory cannot be trusted no document is served, and the page has the last values", () => {
  const { memory, report } = example(names(3), 120);
  const before = memory.current();
  report({ event: "history.reset", row_id: "1", seq_before: 120, seq_now: null, lost: null });
  expect(memory.current()).toBeNull();
  expect(memory.last()?.snapshot.metrics).toBe(before?.snapshot.metrics);
});

test("a project is explained by its window, with the merges that are remembered", () => {
  const { memory } = example(names(3), 386);
  const [, rate] = memory.explain("atlas") ?? [];
  expect(rate?.merges).toHaveLength(100);
  const last = memory.current()?.history.merges.findLast(({ project }) => project === "atlas");
  expect(rate?.merges.at(-1)).toMatchObject({ seq: last?.seq, event_id: last?.event_id });
  expect(rate?.moves).toMatchObject([{ to: "low", bound: 0.05 }]);
  expect(memory.explain("nobody")).toBeNull();
});
