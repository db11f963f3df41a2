/** A sequence that was set back: ids of ours would not ascend any more, and the fence relies on it. */
import { expect, test } from "vitest";
import { countRecorded, startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { merges, times } from "../support/orchestrator.ts";

test.each([
  ["a merge by itself", 1],
  ["a batch that is copied", 30],
])("%s is not recorded under ids that go back, and is once the sequence is set right", async (_, count) => {
  await using database = await createDatabase();
  await database.admin.query("SELECT setval('events_outbox_id_seq', 5000)");
  await using daemon = startDaemon(database, { auditIntervalMs: 50 });
  await merges(database.admin, times(3));
  await daemon.converged();
  await database.admin.query("SELECT setval('events_outbox_id_seq', 1000)");
  await merges(database.admin, times(count));
  expect(await daemon.event("db.unfit")).toMatchObject({
    reason: "sequence_went_back",
    problems: [expect.stringContaining("setval")],
  });
  expect(await countRecorded(database)).toMatchObject({ seq: 3, due: count });
  await database.admin.query("SELECT setval('events_outbox_id_seq', (SELECT max(id) FROM events_outbox))");
  await daemon.converged();
  expect(await violations(database.admin)).toEqual([]);
});
