/** What each way of a restore starts from, and what it yields. */
import type { Coverage } from "../core/coverage.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { StatusHistory } from "../core/status-history.ts";
import type { Walk } from "../core/walk.ts";
import type { AppliedRow, JournalReader } from "../outbox/outbox-log.ts";

/** The journal up to one row, whatever is written meanwhile. */
export type Journal = {
  readonly log: JournalReader;
  readonly metrics: readonly MetricSettings[];
  /** The last row that is replayed. */
  readonly newest: bigint;
  /** Called as the replay proceeds: every outbox row up to this id has been read. */
  readonly passed: (id: bigint) => void;
};

/** The journal as memory. */
export type Replayed = {
  readonly walk: Walk;
  readonly lastApplied: AppliedRow | null;
  /** The seq of the checkpoint that the replay began with; null where it began with the first row. */
  readonly startedFrom: number | null;
  /** The newest of the merges that were replayed. */
  readonly recent: StatusHistory;
  /** The events that the replayed rows record; null where the events of some rows were not read. */
  readonly events: ReadonlySet<bigint> | null;
  /** The first row that was read and records a merge; null where there was none. */
  readonly firstRow: bigint | null;
};

/** What is known of the merges that are recorded, and of the journal's old end. */
export type Known = {
  readonly coverage: Coverage;
  /** Whether this is known from a checkpoint. */
  readonly fromCheckpoint: boolean;
  /** Whether the coverage lists every recorded merge above its low-water mark. Otherwise rows that were not read record others. */
  readonly exact: boolean;
  /** Merges up to this id are taken as recorded: their rows are gone, and no checkpoint knows of them. */
  readonly truncationPoint: bigint | null;
  /** The journal's first row; null where it has none yet, or it was gone before it was known. */
  readonly firstRow: bigint | null;
  /** Whether rows are known to be gone from the journal's old end. */
  readonly pruned: boolean;
  /** The last row that was read. */
  readonly readUpTo: bigint;
};

export type Restored = Replayed & {
  readonly known: Known;
  /** Whether enough rows were checked to write: those of the newest 100 merges, or all that are left. */
  readonly isProven: boolean;
};

/** More rows than the newest 100 merges have under most configurations. */
export const TAIL_ROWS = 800;
