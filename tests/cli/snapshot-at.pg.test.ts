/** `snapshot --at`: the values as they were just after any merge was recorded. */
import { beforeAll, describe, expect, it } from "vitest";
import { readSnapshot } from "../../src/cli/read-snapshot.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { configOf, startDaemon } from "../support/daemon.ts";
import {
  CONFLICT,
  event,
  type MergeIds,
  merge,
  merges,
  REWORKED,
  times,
  transitions,
} from "../support/orchestrator.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const database = sharedDatabase();
const seen: { at: MergeIds; snapshot: Snapshot }[] = [];
let skipped: MergeIds;
let repeat: string;

const look = (at?: string) =>
  readSnapshot(configOf(database.daemonUrl), {
    timeoutMs: 10_000,
    at: at === undefined ? undefined : BigInt(at),
  });

/** What does not depend on when it is looked at. */
const values = ({ as_of: asOf, metrics, skipped: skips }: Snapshot) => ({
  asOf: { ...asOf, generated_at: "" },
  metrics,
  skips,
});

/** What is thrown at an event that cannot be looked at. */
const refusal = (at: string) =>
  look(at).then(
    () => null,
    (error: unknown) => error,
  );

beforeAll(async () => {
  await using daemon = startDaemon(database);
  for (const batch of [
    times(60),
    times(40, REWORKED),
    times(20, CONFLICT),
    times(1000),
    times(30, CONFLICT),
  ]) {
    const made = await merges(database.admin, batch);
    await daemon.converged();
    const newest = made.at(-1);
    if (newest !== undefined) seen.push({ at: newest, snapshot: await look() });
  }
  skipped = await merge(database.admin, { attempts: 0 });
  [repeat = ""] = await transitions(database.admin, [seen[0]?.at.itemId ?? ""]);
  await daemon.converged();
  await daemon.stop();
});

describe("the values at an event", () => {
  it("are those that were read then, before and after a checkpoint", async () => {
    for (const { at, snapshot } of seen)
      expect(values(await look(at.eventId))).toStrictEqual(values(snapshot));
  });

  it("are found also where the transition itself is gone", async () => {
    const first = seen[1];
    await database.admin.query("DELETE FROM events_outbox WHERE id::text = $1", [first?.at.eventId]);
    expect((await look(first?.at.eventId)).metrics).toStrictEqual(first?.snapshot.metrics);
  });

  it("are those after a skip, too", async () => {
    expect((await look(skipped.eventId)).skipped.total).toBe(1);
  });
});

describe("an event that is not recorded exits with 1 and is described", () => {
  it("nothing", async () => {
    expect(await refusal("99999999")).toMatchObject({
      exitCode: 1,
      message: expect.stringContaining("there is no event 99999999"),
    });
  });

  it("a row of ours", async () => {
    const { rows } = await database.admin.query<{ id: string; event: string }>(
      "SELECT id::text, payload->'merge'->>'event_id' AS event FROM events_outbox WHERE kind = 'metric.p95_attempts_to_merge' LIMIT 1",
    );
    expect(await refusal(rows[0]?.id ?? "")).toMatchObject({
      message: expect.stringContaining(`use --at ${rows[0]?.event}`),
    });
  });

  it("a duplicate", async () => {
    expect(await refusal(repeat)).toMatchObject({
      message: expect.stringContaining(`use --at ${seen[0]?.at.eventId}`),
    });
  });

  it("some other event, or a merge that is due", async () => {
    const other = await event(database.admin, { kind: "phase.transition", payload: '{"target": "review"}' });
    expect(await refusal(other)).toMatchObject({ message: expect.stringContaining("is not a merge") });
    const due = await merge(database.admin);
    expect(await refusal(due.eventId)).toMatchObject({
      exitCode: 1,
      message: expect.stringContaining("not recorded yet"),
    });
  });
});
