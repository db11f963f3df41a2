/** Verification of a whole log, page by page: first our own rows, then the merges that they should record. */
import type { Config } from "../config.ts";
import { proveCheckpoint } from "../core/checkpoint-proof.ts";
import { Differences } from "../core/difference.ts";
import { type CommittedMerge, MergeAudit } from "../core/merge-audit.ts";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import { type Drift, driftFacts, type Verification, verificationOf } from "../core/verification.ts";
import { Verifier } from "../core/verifier.ts";
import { auditRows, oldestId, recordedMerge } from "../postgres/audit.ts";
import { mergeSource } from "../postgres/merge-source.ts";
import { type LogAccess, now, readLog } from "./read-log.ts";

export type VerifyOptions = {
  readonly timeoutMs: number;
  /** Differences that are told one by one; all are counted. */
  readonly limit: number;
  /** How far it has come, 0–1. */
  readonly progress: (share: number) => void;
};

/** Outbox rows that are in memory at a time. */
const PAGE_ROWS = 5_000;

/** @throws Unreadable */
export function readVerification(config: Config, options: VerifyOptions): Promise<Verification> {
  return readLog(config, "verify", options.timeoutMs, (access) => verify(access, config, options));
}

async function verify(access: LogAccess, config: Config, options: VerifyOptions): Promise<Verification> {
  const { reader, query, names, columns } = access;
  const differences = new Differences(options.limit);
  const verifier = new Verifier(config.metrics, differences);
  const newest = await reader.newest();
  const oldest = await oldestId(query, names);
  const pages = async (share: number, read: (after: bigint, upTo: bigint) => Promise<void>) => {
    const start = oldest - 1n;
    for (let after = start; after < newest; ) {
      const end = await reader.pageEnd(after, newest, PAGE_ROWS);
      await read(after, end);
      after = end;
      options.progress(share + Number(after - start) / Number(newest - start) / 2);
    }
  };
  await pages(0, async (after, upTo) => {
    for (const row of await auditRows(query, names, after, upTo)) {
      verifier.accept(row);
      if (row.kind === CHECKPOINT_KIND)
        proveCheckpoint(verifier, row.id, await reader.checkpoint(row.id), differences);
    }
  });
  verifier.end();
  const audit = new MergeAudit(verifier, differences);
  const { merges } = mergeSource(query, names, config.merge, columns, "facts alone");
  await pages(0.5, async (after, upTo) => {
    for (const merge of await merges(after, upTo)) audit.accept(merge);
  });
  audit.end(oldest);
  const drifted: Drift[] = [];
  for (const merge of audit.drifted) drifted.push(await drift(access, merge));
  return verificationOf(verifier, audit.counts, differences, drifted, await now(query));
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
