/** What you do yourself in the database of the demo that runs, as its owner: merge work items, or any SQL. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { CATALOGUE } from "../src/core/catalogue.ts";
import type { MetricName } from "../src/core/metric.ts";
import { CROSSING_KIND, SKIPPED_KIND } from "../src/core/metric-event.ts";
import { variableOfDemo } from "./folder.ts";
import { narrator } from "./narrator.ts";
import type { MergeOptions } from "./options.ts";
import { withClient } from "./with-client.ts";

/** The variable of the demo's file that holds the owner's connection string. */
export const OWNER_URL = "OWNER_DATABASE_URL";

const RECORDED_WITHIN = 10_000;

/** A row that the daemon appended, with the fields that are used here; which ones it has depends on its kind. */
type Row = {
  readonly kind: string;
  readonly payload: {
    readonly metric: MetricName;
    readonly scope: string;
    readonly seq: number;
    readonly value: number | null;
    readonly to: string;
    readonly merge: { readonly project: string };
  };
};

/** Merges work items one by one, and prints what the daemon appended to the log for each. */
export async function mergeByHand({ count, ...facts }: MergeOptions): Promise<void> {
  const story = narrator();
  story.summarise(1);
  await withClient(variableOfDemo(OWNER_URL), async (owner) => {
    for (let made = 0; made < count; made += 1) {
      const rows = await recorded(owner, await mergeItem(owner, facts));
      for (const line of linesOf(rows)) print(story.read(JSON.stringify(line)).join("\n"));
    }
  });
}

export async function sqlByHand(statement: string): Promise<void> {
  await withClient(variableOfDemo(OWNER_URL), async (owner) => {
    // Of several statements there is an array of results.
    const results = [await owner.query<Record<string, unknown>>(statement)].flat();
    for (const { rows, command, rowCount } of results) {
      for (const row of rows) print(JSON.stringify(row));
      if (rows.length === 0) print(`${command} ${rowCount ?? 0}`);
    }
  });
}

/** As the orchestrator does it: the item and its transition in one transaction, with a notification. @returns the item's id. */
async function mergeItem(
  owner: pg.Client,
  { project, attempts, conflict }: Omit<MergeOptions, "count">,
): Promise<string> {
  const { rows } = await owner.query<{ id: string }>(
    `WITH item AS (
       INSERT INTO work_items (project, story_id, phase, attempts, last_verdict, file_scope, merged_at)
       VALUES ($1, 'by-hand', 'merged', $2, $3, '[]', now()) RETURNING id
     ), transition AS (
       INSERT INTO events_outbox (kind, work_item_id, payload)
       SELECT 'phase.transition', id, '{"from": "review", "target": "merged"}' FROM item RETURNING id
     )
     SELECT item.id::text, pg_notify('events_outbox', '') FROM item, transition`,
    [project, attempts, conflict ? "rebase_conflict" : "approve"],
  );
  return rows[0]?.id ?? "";
}

/** The rows that record an item's merge; all of them come with one commit. */
async function recorded(owner: pg.Client, itemId: string): Promise<readonly Row[]> {
  const latest = performance.now() + RECORDED_WITHIN;
  for (;;) {
    const { rows } = await owner.query<Row>(
      "SELECT kind, payload FROM events_outbox WHERE work_item_id = $1 AND kind LIKE 'metric.%' ORDER BY id",
      [itemId],
    );
    if (rows.length > 0) return rows;
    if (performance.now() > latest) throw new Error(`work item ${itemId} has merged and is not recorded`);
    await delay(20);
  }
}

/** The rows of one merge as the lines of the daemon's log that go with them. */
function* linesOf(rows: readonly Row[]): Generator<Readonly<Record<string, unknown>>> {
  const global = rows.filter(({ kind, payload }) => payload.scope === "global" && kind !== CROSSING_KIND);
  const [first] = global;
  if (first !== undefined) {
    const { seq, merge } = first.payload;
    const values = Object.fromEntries(global.map(({ payload }) => [payload.metric, payload.value]));
    yield { event: "merge.recorded", seq, project: merge.project, values };
  }
  for (const { kind, payload } of rows) {
    if (kind === SKIPPED_KIND)
      yield { event: "merge.skipped", level: "error", msg: "merge skipped", ...payload };
    if (kind === CROSSING_KIND) {
      const permissive = CATALOGUE[payload.metric].permissive === payload.to;
      yield { event: "threshold.crossed", ...payload, permissive };
    }
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
