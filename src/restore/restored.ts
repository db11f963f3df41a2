/** What each way of a restore is given, and what it leaves. */
import type { MetricSettings } from "../core/metric.ts";
import type { Recent } from "../core/recent.ts";
import type { Replay } from "../core/replay.ts";
import type { Head, JournalReader } from "../outbox-log.ts";

/** The journal that is restored: its rows up to one, whatever is written meanwhile. */
export type Journal = {
  readonly log: JournalReader;
  readonly metrics: readonly MetricSettings[];
  readonly newest: bigint;
  /** Told how far the fold has come: every outbox row up to here has been passed. */
  readonly passed: (id: bigint) => void;
};

export type Restored = {
  readonly replay: Replay;
  /** The newest row of the journal. */
  readonly head: Head | null;
  /** Every merge up to this id is recorded. */
  readonly lowMark: bigint;
  /** Merges up to this id count as recorded, as their rows went from the old end. */
  readonly floor: bigint;
  /** The checkpoint that the fold began with; null where it began with the first row. */
  readonly fromCheckpoint: { readonly seq: number; readonly rowId: bigint } | null;
  /** The last of the merges that were folded. */
  readonly recent: Recent;
};

/** More rows than the newest 100 merges have, as most are configured. */
export const TAIL_ROWS = 800;
