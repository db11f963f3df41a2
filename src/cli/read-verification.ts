/**
 * Verifies a whole log page by page: first our own rows, then the merges that these should record, then once more what does
 * not fit. `read-log.ts` says why pages are exact; `core/reconcile-merges.ts` says what a merge without a record may be, and
 * a record without a merge.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config.ts";
import { Differences } from "../core/difference.ts";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import { type CommittedMerge, MergeReconciliation, type Survivors } from "../core/reconcile-merges.ts";
import { type Drift, driftFacts, type Verification, verificationOf } from "../core/verification.ts";
import { type AuditRow, Verifier } from "../core/verifier.ts";
import type { PageBounds } from "../outbox/pages.ts";
import { auditRows, recordedMerge, survivorsIn } from "../postgres/audit.ts";
import { mergeSource } from "../postgres/merge-source.ts";
import type { LeaveOut } from "../postgres/unreadable.ts";
import { newestCoverage } from "../restore/known-merges.ts";
import { steadily } from "./fold-recorded.ts";
import {
  journalEnd,
  type LogAccess,
  logPages,
  now,
  type ReadOptions,
  readLog,
  readPages,
} from "./read-log.ts";
import { surroundings } from "./read-snapshot.ts";

export type VerifyOptions = ReadOptions & {
  /** Differences that are listed; all are counted. */
  readonly limit: number;
};

/** How long a running daemon is given to record merges that have just been committed, before they count as waiting. */
const LOOKS_AGAIN = 10;
const LOOK_EVERY_MS = 200;

/** @throws Failed */
export function readVerification(config: Config, options: VerifyOptions): Promise<Verification> {
  return readLog(config, "verify", options, (access) => verify(access, config, options));
}

/** The walk along our own rows, and the row up to which it has come. */
type Journal = { readonly verifier: Verifier; readonly differences: Differences; end: bigint | null };

async function verify(access: LogAccess, config: Config, options: VerifyOptions): Promise<Verification> {
  const end = await journalEnd(access);
  const journal = await steadily(access, async () => {
    const differences = new Differences(options.limit);
    const result: Journal = { verifier: new Verifier(config.metrics, differences), differences, end };
    const first = await walk(access, result, null, (share) => options.progress?.(share / 2));
    const { counts, first: listed, total } = differences;
    return { result, first, gaps: total === 0 ? [] : [JSON.stringify([[...counts], listed[0] ?? null])] };
  });
  const { verifier, differences } = journal;
  const reconciliation = await reconcileMerges(access, config, journal, (share) =>
    options.progress?.(0.5 + share / 2),
  );
  await lookAgain(access, journal, reconciliation);
  reconciliation.end(await survivors(access, reconciliation));
  const drifted: Drift[] = [];
  for (const merge of reconciliation.drifted) drifted.push(await drift(access, merge));
  return verificationOf(verifier, reconciliation.counts, differences, drifted, await now(access.query));
}

/** Walks after one of our rows, or from the oldest row, to the journal's end. @returns the first row; null if there is none. */
async function walk(
  access: LogAccess,
  { verifier, end }: Journal,
  from: bigint | null,
  progress?: (share: number) => void,
): Promise<string | null> {
  let first: string | null = null;
  const pages = logPages(access, from, end, progress);
  for await (const { rows, checkpoints } of readPages(pages, (page) => auditPage(access, page))) {
    for (const row of rows) {
      first ??= row.id;
      if (row.unreadable !== undefined) access.unreadable({ id: row.id, reason: row.unreadable });
      verifier.accept(row);
      const checkpoint = checkpoints.get(row.id);
      if (checkpoint !== undefined) verifier.acceptCheckpoint(row.id, checkpoint);
    }
  }
  // Sets are committed whole, and the journal's end is the end of one.
  verifier.end();
  return first;
}

type AuditPage = {
  readonly rows: readonly AuditRow[];
  /** Payloads of the checkpoints among them, by row id. */
  readonly checkpoints: ReadonlyMap<string, string | null>;
};

async function auditPage(access: LogAccess, { after, end }: PageBounds): Promise<AuditPage> {
  const rows = await auditRows(access, after, end);
  const checkpoints = new Map<string, string | null>();
  for (const { id, kind, unreadable } of rows)
    if (kind === CHECKPOINT_KIND && unreadable === undefined)
      checkpoints.set(id, await access.reader.checkpoint(id));
  return { rows, checkpoints };
}

async function reconcileMerges(
  access: LogAccess,
  config: Config,
  { verifier, differences }: Journal,
  progress: (share: number) => void,
): Promise<MergeReconciliation> {
  const { reader, columns } = access;
  const newest = await reader.newest();
  const known = await newestCoverage(reader, reader.checkpoints(newest));
  const reconciliation = new MergeReconciliation(verifier, differences, known?.coverage ?? null);
  const unreadable: LeaveOut = (row) => {
    access.unreadable(row);
    reconciliation.unreadable(row.id);
  };
  const { merges } = mergeSource({ ...access, unreadable }, config.merge, columns, "facts alone");
  const read = ({ after, end }: PageBounds) => merges(after, end);
  for await (const found of readPages(logPages(access, null, newest, progress), read))
    for (const merge of found) reconciliation.accept(merge);
  return reconciliation;
}

/** Reads the rows that the journal has gained: due merges may be recorded now. Gives a running daemon some time. */
async function lookAgain(
  access: LogAccess,
  journal: Journal,
  reconciliation: MergeReconciliation,
): Promise<void> {
  const { running } = await surroundings(access.query);
  journal.verifier.recorded.afterwards = true;
  for (let looks = 0; looks < LOOKS_AGAIN && reconciliation.suspects.length > 0; looks += 1) {
    if (looks > 0 && running === 0) break;
    if (looks > 0) await delay(LOOK_EVERY_MS);
    const from = journal.end;
    journal.end = (await journalEnd(access)) ?? from;
    if (journal.end !== from) await walk(access, journal, from);
  }
  reconciliation.conclude(running);
}

/** The oldest of the orchestrator's rows, by id and by date: as far as they are needed. */
async function survivors(access: LogAccess, reconciliation: MergeReconciliation): Promise<Survivors> {
  let found: Survivors = { id: null, at: null };
  if (!reconciliation.someUnmet) return found;
  for await (const page of logPages(access, null, await access.reader.newest())) {
    const { id, at } = await survivorsIn(access, page.after, page.end);
    found = { id: found.id ?? id, at: earlier(found.at, at) };
    // Ids ascend from page to page. Where the first explains everything, no dates are needed.
    if (found.id !== null && reconciliation.explainedBy({ id: found.id, at: null })) break;
  }
  return found;
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

async function drift(access: LogAccess, merge: CommittedMerge): Promise<Drift> {
  const recorded = await recordedMerge(access, merge.eventId);
  return {
    event_id: merge.eventId,
    work_item_id: merge.workItemId,
    recorded: recorded === null ? null : driftFacts(recorded, recorded.mergedAt),
    now: merge.facts === null ? null : driftFacts(merge.facts, merge.mergedAt),
  };
}
