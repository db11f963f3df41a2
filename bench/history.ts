/**
 * A history such as life leaves it: what the orchestrator writes, made by SQL, and in between what the product itself
 * recorded then, checkpoints included. 14 rows of the orchestrator's to each merge and 4 or 5 of ours.
 *
 * Twenty projects, the busiest with a third of the merges, the last one dead since the 150th merge; conflicts come and
 * go in waves, so that gates cross; ids have gaps, one of them large.
 */
import type pg from "pg";
import { type Recording, record } from "./product.ts";
import type { Database } from "./server.ts";

/** Merges between two polls of the recorder: it then leaves a checkpoint as often as one that follows live. */
const STRIDE = 50;
/** Merges beyond the last checkpoint: one less than a restart checks, so it replays the most that it may have to, 69. */
const TAIL = 19;
/** Projects of a history, unless a measure says otherwise. */
const PROJECTS = 20;
const LARGE_GAP = 1_000_000;

/** Evenly spread over [0, 1), the same again for the same number. */
const chance = (salt: number): string => `((hashint8(k * 7919 + ${salt}) & 2147483647) / 2147483648.0)`;

const ITEMS = `
  INSERT INTO work_items (id, project, story_id, phase, attempts, last_verdict, file_scope, merged_at)
  SELECT k,
         CASE WHEN k <= 150 AND k % 3 = 0 THEN 'project-dead' ELSE 'project-' || floor(($3::int - 1) * power(${chance(1)}, 3)) END,
         'story-' || k, 'merged',
         CASE WHEN ${chance(2)} < 0.78 THEN 1 WHEN ${chance(2)} < 0.93 THEN 2 ELSE 3 + floor(4 * ${chance(3)}) END,
         CASE WHEN ${chance(4)} < 0.07 + 0.06 * sin(k / 400.0) THEN 'rebase_conflict' ELSE 'approve' END,
         jsonb_build_array('src/module-' || k % 300, 'tests/module-' || k % 300), now()
    FROM generate_series($1::bigint, $2::bigint) k`;

/** The work items of a stride overlap: the events of one lie among those of others. Merged in the order of k. */
const EVENTS = `
  INSERT INTO events_outbox (kind, work_item_id, payload)
  SELECT CASE WHEN step = 13 OR step % 3 = 0 THEN 'phase.transition' WHEN step % 3 = 1 THEN 'agent.finished' ELSE 'review.verdict' END,
         k,
         CASE WHEN step = 13 THEN '{"source": "integrating", "target": "merged", "actor": "orchestrator"}'::jsonb
              WHEN step % 3 = 0 THEN jsonb_build_object('source', 'phase-' || step, 'target', 'phase-' || step + 1, 'actor', 'orchestrator')
              WHEN step % 3 = 1 THEN jsonb_build_object('agent', 'builder-' || k % 7, 'tokens', 1200 + k % 900, 'usd', 0.0123, 'files', k % 11)
              ELSE jsonb_build_object('verdict', 'approve', 'comments', k % 5, 'reviewer', 'reviewer-' || k % 3) END
    FROM generate_series($1::bigint, $2::bigint) k, generate_series(0, 13) step
   ORDER BY k + 3 * step, k, step`;

/** What the orchestrator writes for the merges `from` to `to`. */
async function orchestrate(owner: pg.Client, from: number, to: number, projects = PROJECTS): Promise<void> {
  await owner.query(ITEMS, [from, to, projects]);
  await owner.query(EVENTS, [from, to]);
  // A transaction that rolled back has drawn its ids all the same.
  await owner.query("SELECT nextval('events_outbox_id_seq') FROM generate_series(1, $1)", [1 + (from % 50)]);
}

async function finish(owner: pg.Client): Promise<void> {
  await owner.query("SELECT setval(pg_get_serial_sequence('work_items', 'id'), max(id)) FROM work_items");
  // As autovacuum leaves it after a while.
  await owner.query("VACUUM (ANALYZE, FREEZE)");
  await owner.query("CHECKPOINT");
}

/** `merges` merges and the tail after them, all recorded as they came. @returns how many there are. */
export async function seedRecorded(
  { owner, daemonUrl }: Database,
  merges: number,
  progress: (done: number) => void,
): Promise<number> {
  const total = merges + TAIL;
  await using recording: Recording = await record(daemonUrl);
  for (let from = 1; from <= total; from += STRIDE) {
    await orchestrate(owner, from, Math.min(from + STRIDE - 1, total));
    await recording.poll();
    if (from === 1 + STRIDE) {
      await owner.query(
        "SELECT setval('events_outbox_id_seq', (SELECT last_value FROM events_outbox_id_seq) + $1)",
        [LARGE_GAP],
      );
    }
    progress(from);
  }
  await finish(owner);
  return total;
}

/** A history of which nothing has been recorded, in tables that were never analysed. */
export async function seedUnanalysed({ owner }: Database, merges: number, projects?: number): Promise<void> {
  await owner.query("ALTER TABLE events_outbox SET (autovacuum_enabled = off)");
  await owner.query("ALTER TABLE work_items SET (autovacuum_enabled = off)");
  for (let from = 1; from <= merges; from += STRIDE)
    await orchestrate(owner, from, Math.min(from + STRIDE - 1, merges), projects);
  await owner.query("SELECT setval(pg_get_serial_sequence('work_items', 'id'), max(id)) FROM work_items");
}

/** A history of which nothing has been recorded. */
export async function seedUnknown(database: Database, merges: number): Promise<void> {
  await seedUnanalysed(database, merges);
  await finish(database.owner);
}
