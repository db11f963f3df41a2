/**
 * Verification of a whole log, page by page: first our own rows, then the merges that they should record, then a second
 * look at what does not fit. Why pages are exact is said in `read-log.ts`; what a merge without a record may be, and a
 * record without a merge, in `core/reconcile-merges.ts`.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config.ts";
import { Differences } from "../core/difference.ts";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import { type CommittedMerge, MergeReconciliation, type Survivors } from "../core/reconcile-merges.ts";
import { type Drift, driftFacts, type Verification, verificationOf } from "../core/verification.ts";
import { Verifier } from "../core/verifier.ts";
import { pagesAfter } from "../pages.ts";
import { auditRows, recordedMerge, survivorsIn } from "../postgres/audit.ts";
import { mergeSource } from "../postgres/merge-source.ts";
import { readAround } from "../postgres/unreadable.ts";
import { shareOf, steadily } from "./fold-recorded.ts";
import { newestCoverage } from "./newest-coverage.ts";
import { journalEnd, type LogAccess, now, READ_ROWS, type ReadOptions, readLog } from "./read-log.ts";
import { surroundings } from "./read-snapshot.ts";

export type VerifyOptions = ReadOptions & {
  /** Differences that are told one by one; all are counted. */
  readonly limit: number;
  /** How far it has come, 0–1. */
  readonly progress: (share: number) => void;
};

/** How long a running daemon is given for merges that have only just committed, before they are counted as waiting. */
const LOOKS_AGAIN = 10;
const LOOK_EVERY_MS = 200;

/** For what is not told. */
const UNSAID = () => undefined;

/** @throws Unreadable */
export function readVerification(config: Config, options: VerifyOptions): Promise<Verification> {
  return readLog(config, "verify", options, (access) => verify(access, config, options));
}

/** The walk along our own rows, and the row up to which it has come. */
type Journal = { readonly verifier: Verifier; readonly differences: Differences; end: bigint | null };

async function verify(access: LogAccess, config: Config, options: VerifyOptions): Promise<Verification> {
  const { query } = access;
  const end = await journalEnd(access);
  const journal = await steadily(access, async () => {
    const differences = new Differences(options.limit);
    const walked: Journal = { verifier: new Verifier(config.metrics, differences), differences, end };
    const first = await walk(access, walked, null, (share) => options.progress(share / 2));
    return { result: walked, first, gaps: differences.total === 0 ? [] : [textOf(differences)] };
  });
  const { verifier, differences } = journal;
  const reconciliation = await reconcileMerges(access, config, journal, (share) =>
    options.progress(0.5 + share / 2),
  );
  await lookAgain(access, journal, reconciliation);
  reconciliation.end(await survivors(access, reconciliation));
  const drifted: Drift[] = [];
  for (const merge of reconciliation.drifted) drifted.push(await drift(access, merge));
  return verificationOf(verifier, reconciliation.counts, differences, drifted, await now(query));
}

/** What was found, so that the same is known again. */
function textOf({ counts, first }: Differences): string {
  return JSON.stringify([[...counts], first[0] ?? null]);
}

/** Walks from after a row of ours, or from the oldest row, to the journal's end. @returns the first row; null where there is none. */
async function walk(
  access: LogAccess,
  { verifier, end }: Journal,
  from: bigint | null,
  progress: (share: number) => void,
): Promise<string | null> {
  const { reader, query, names, unreadable } = access;
  let first: string | null = null;
  await eachPage(access, from, end, progress, async (after, upTo) => {
    for (const row of await auditRows(query, names, after, upTo)) {
      first ??= row.id;
      if (row.unreadable !== undefined) unreadable({ id: row.id, reason: row.unreadable });
      verifier.accept(row);
      if (row.kind === CHECKPOINT_KIND && row.unreadable === undefined)
        verifier.acceptCheckpoint(row.id, await reader.checkpoint(row.id));
    }
  });
  // Sets are committed whole, and the journal's end is one of its rows: none goes on after it.
  verifier.end();
  return first;
}

async function reconcileMerges(
  access: LogAccess,
  config: Config,
  { verifier, differences }: Journal,
  progress: (share: number) => void,
): Promise<MergeReconciliation> {
  const { reader, query, names, columns, unreadable } = access;
  const newest = await reader.newest();
  const reconciliation = new MergeReconciliation(verifier, differences, await newestCoverage(access));
  const { merges } = mergeSource(query, names, config.merge, columns, "facts alone");
  await eachPage(access, null, newest, progress, async (after, upTo) => {
    const found = await readAround<CommittedMerge>(after, upTo, merges, (row) => {
      unreadable(row);
      reconciliation.unreadable(row.id);
      return [];
    });
    for (const merge of found) reconciliation.accept(merge);
  });
  return reconciliation;
}

/** Reads on where the journal has grown: merges that were due may be recorded now, and a daemon that runs is given some time. */
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
    if (journal.end !== from) await walk(access, journal, from, UNSAID);
  }
  reconciliation.conclude(running);
}

/** The oldest of the orchestrator's rows, by id and by date: as far as they are needed. */
async function survivors(access: LogAccess, reconciliation: MergeReconciliation): Promise<Survivors> {
  const { reader, query, names } = access;
  let found: Survivors = { id: null, at: null };
  if (!reconciliation.someUnmet) return found;
  await eachPage(access, null, await reader.newest(), UNSAID, async (after, upTo) => {
    const { id, at } = await survivorsIn(query, names, after, upTo);
    found = { id: found.id ?? id, at: earlier(found.at, at) };
    // Ids ascend from page to page: where they explain everything, the dates need not be known.
    return found.id !== null && reconciliation.explainedBy({ id: found.id, at: null });
  });
  return found;
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

/** Pages of the outbox from after a row, or from the oldest one, to a row, until one of them was enough. */
async function eachPage(
  { reader }: LogAccess,
  from: bigint | null,
  upTo: bigint | null,
  progress: (share: number) => void,
  read: (after: bigint, upTo: bigint) => Promise<boolean | void>,
): Promise<void> {
  const oldest = from ?? (await reader.oldest());
  if (upTo === null || oldest === null) return;
  const start = from ?? oldest - 1n;
  for await (const { after, end } of pagesAfter(reader, start, upTo, READ_ROWS)) {
    if ((await read(after, end)) === true) return;
    progress(shareOf(end, start, upTo));
  }
}

async function drift({ query, names }: LogAccess, merge: CommittedMerge): Promise<Drift> {
  const recorded = await recordedMerge(query, names, merge.eventId);
  return {
    event_id: merge.eventId,
    work_item_id: merge.workItemId,
    recorded: recorded === null ? null : driftFacts(recorded, recorded.mergedAt),
    now: merge.facts === null ? null : driftFacts(merge.facts, merge.mergedAt),
  };
}
