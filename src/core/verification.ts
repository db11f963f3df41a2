/** The verification document, as `metrics verify --json` prints it. */
import { DIFFERENCE_KINDS, type Difference, type DifferenceKind, type Differences } from "./difference.ts";
import type { Facts } from "./merge.ts";
import type { MergeCounts } from "./reconcile-merges.ts";
import { type AsOf, asOf } from "./snapshot.ts";
import type { VerifiedCounts, Verifier } from "./verifier.ts";

export type Verification = {
  readonly schema_version: 1;
  /** `seq` is null where no remaining set shows it. */
  readonly as_of: Omit<AsOf, "seq"> & { readonly seq: number | null };
  /** True if there is no difference at all. */
  readonly verified: boolean;
  readonly counts: VerifiedCounts & MergeCounts;
  /** Whether rows are gone from the old end of the journal: what depends on them is not judged. */
  readonly history_truncated: boolean;
  readonly differences: {
    readonly total: number;
    readonly by_kind: Readonly<Record<DifferenceKind, number>>;
    readonly first: readonly Difference[];
  };
  /** The first work items that have changed since they were recorded. That is not a difference: the record is right. */
  readonly drifted: readonly Drift[];
};

export type Drift = {
  readonly event_id: string;
  readonly work_item_id: string | null;
  readonly recorded: DriftFacts | null;
  /** Null if the work item no longer exists. */
  readonly now: DriftFacts | null;
};

export type DriftFacts = {
  readonly project: string | null;
  /** As text: today's may be no number. */
  readonly attempts: string | null;
  readonly last_verdict: string | null;
  readonly merged_at: string | null;
};

export function driftFacts(
  facts: { readonly [Name in keyof Facts]: Facts[Name] | string | null },
  mergedAt: string | null,
): DriftFacts {
  return {
    project: facts.project,
    attempts: facts.attempts === null ? null : String(facts.attempts),
    last_verdict: facts.lastVerdict,
    merged_at: mergedAt,
  };
}

export function verificationOf(
  verifier: Verifier,
  merges: MergeCounts,
  differences: Differences,
  drifted: readonly Drift[],
  generatedAt: string,
): Verification {
  const { analyzer } = verifier;
  const kinds = Object.keys(DIFFERENCE_KINDS) as DifferenceKind[];
  const counts = kinds.map((kind) => [kind, differences.counts.get(kind) ?? 0]);
  return {
    schema_version: 1,
    as_of: { ...asOf(analyzer, generatedAt), seq: analyzer.global.placed ? analyzer.global.seq : null },
    verified: differences.total === 0,
    counts: { ...verifier.counts, ...merges },
    history_truncated: verifier.truncated,
    differences: {
      total: differences.total,
      by_kind: Object.fromEntries(counts) as Record<DifferenceKind, number>,
      first: differences.first,
    },
    drifted,
  };
}
