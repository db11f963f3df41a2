/** What each way of a restore is given, and what it leaves. */
import type { Coverage } from "../core/coverage.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { StatusHistory } from "../core/status-history.ts";
import type { Walk } from "../core/walk.ts";
import type { Head, JournalReader } from "../outbox-log.ts";

/** The journal that is restored: its rows up to one, whatever is written meanwhile. */
export type Journal = {
  readonly log: JournalReader;
  readonly metrics: readonly MetricSettings[];
  readonly newest: bigint;
  /** Told how far the fold has come: every outbox row up to here has been passed. */
  readonly passed: (id: bigint) => void;
};

/** The journal as memory. */
export type Folded = {
  readonly walk: Walk;
  /** The newest row of the journal. */
  readonly head: Head | null;
  /** The seq of the checkpoint that the fold began with; null where it began with the first row. */
  readonly startedFrom: number | null;
  /** The last of the merges that were folded. */
  readonly recent: StatusHistory;
  /** The events that the folded rows record; null where rows were passed whose events were not read. */
  readonly events: ReadonlySet<bigint> | null;
  /** The first row that was read; null where there was none. */
  readonly firstRow: bigint | null;
};

/** What is known of the merges that are recorded, and of the journal's old end. */
export type Known = {
  readonly coverage: Coverage;
  /** Whether a checkpoint says so. */
  readonly fromCheckpoint: boolean;
  /**
   * Whether the coverage lists every recorded merge above its low-water mark. Otherwise a merge may be recorded by rows that
   * were not looked at.
   */
  readonly exact: boolean;
  /** Merges up to this id are taken as recorded: their rows are gone, and no checkpoint knows of them. */
  readonly floor: bigint | null;
  /** The journal's first row; null where it has none yet, or it was gone before it was known. */
  readonly begins: bigint | null;
  /** Whether rows are known to be gone from the journal's old end. */
  readonly pruned: boolean;
};

export type Restored = Folded & { readonly known: Known };

/** More rows than the newest 100 merges have, as most are configured. */
export const TAIL_ROWS = 800;
