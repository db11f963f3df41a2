/** What the daemon remembers as documents: the same objects until a merge is recorded, and the last ones afterwards. */
import { expect, test } from "vitest";
import { example, names } from "../page/example.ts";

test("the same readings until a merge is recorded, at any moment", () => {
  const { ports, record } = example(names(3), 120);
  const [before, again] = [ports.snapshot(), ports.snapshot()];
  expect(again?.metrics).toBe(before?.metrics);
  expect(ports.history()).toBe(ports.history());
  record(1);
  expect(ports.snapshot()?.metrics).not.toBe(before?.metrics);
  expect(ports.snapshot()?.as_of.seq).toBe(121);
});

test("while memory cannot be trusted no document is served, and the page has the last values", () => {
  const { ports, report } = example(names(3), 120);
  const before = ports.snapshot();
  report({ event: "history.reset", row_id: "1", seq_before: 120, seq_now: null, lost: null });
  expect([ports.snapshot(), ports.history()]).toStrictEqual([null, null]);
  expect(ports.last()?.snapshot.metrics).toBe(before?.metrics);
});

test("a project is explained by its window, with the merges that are remembered", () => {
  const { ports } = example(names(3), 386);
  const [, rate] = ports.explain("atlas") ?? [];
  expect(rate?.merges).toHaveLength(100);
  const last = ports.history()?.merges.findLast(({ project }) => project === "atlas");
  expect(rate?.merges.at(-1)).toMatchObject({ seq: last?.seq, event_id: last?.event_id });
  expect(rate?.moves).toMatchObject([{ to: "low", bound: 0.05 }]);
  expect(ports.explain("nobody")).toBeNull();
});
