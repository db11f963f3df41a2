/**
 * What a daemon reads of the simulated log: the same statements as `src/postgres`, each with its own snapshot. Between any
 * two of them, and at some places within one, everybody else may go on.
 */
import { createHash } from "node:crypto";
import { BEFORE_ALL } from "../../src/core/event-id.ts";
import type { FactsSource, RawFactsRow } from "../../src/core/fast-replay.ts";
import type { RawJournalRow } from "../../src/core/journal-row.ts";
import type { Identified, RawFacts } from "../../src/core/merge.ts";
import type {
  AppliedRow,
  CheckpointInLog,
  FoundMerge,
  Poll,
  PollBasis,
  Since,
} from "../../src/outbox/outbox-log.ts";
import { tellFacts } from "../support/facts.ts";
import { isCheckpoint, isMerge, isRecord, mergedAt, payloadOf, type Row } from "./rows.ts";
import type { State } from "./server.ts";
import { SimulatedConnection } from "./wire.ts";

const RECORDING =
  /^metric\.(first_pass_merge_rate|rebase_conflict_rate|p95_attempts_to_merge|merge_skipped)$/;
/** Of the rows of a set, as against a skip. */
const IN_SET =
  /^metric\.(first_pass_merge_rate|rebase_conflict_rate|p95_attempts_to_merge|threshold_crossed)$/;

/** Few, so that what others have recorded often takes more than one statement. */
const SINCE_ROWS = 6;
/** Few, so that what is new is often more than a look reads. */
const READ_MERGES = 2;

export class SimulatedReader extends SimulatedConnection {
  /** What a statement that starts now sees. */
  protected snapshot(): State {
    // A statement that reads the table keeps its lock to the end of the transaction: TRUNCATE waits for it.
    if (this.session.transaction !== null) this.session.transaction.reads = true;
    return this.wire.server.state;
  }

  /** The names of the transactions that may still bring rows, as `pg_locks` gives them. */
  protected holders(): Set<string> {
    return new Set([...this.wire.server.holders(this.session)].map((holder) => holder.name));
  }

  /** The fingerprint of the row at the last applied row's id, as a statement with this snapshot finds it. */
  protected appliedIn(snapshot: State, lastApplied: AppliedRow | null): string | null {
    const row = snapshot.rows.find((one) => String(one.id) === lastApplied?.id);
    return row === undefined ? null : fingerprint(row.payload);
  }

  newest(): Promise<bigint> {
    return this.statement("newest", () => newestIn(this.snapshot()));
  }

  oldest(): Promise<bigint | null> {
    return this.statement("oldest", () => {
      const oldest = this.snapshot().rows[0];
      return oldest === undefined ? null : BigInt(oldest.id);
    });
  }

  async poll({ lastApplied, after, appliedPosition, firstRow }: PollBasis): Promise<Poll> {
    const seen = await this.seen(lastApplied);
    const readUpTo = after + BigInt(this.wire.pageRows);
    const found = await this.merges(after, readUpTo);
    const behind = await this.statement("peer writes", () => {
      const snapshot = this.snapshot();
      return {
        peerWrites: between(snapshot, appliedPosition, null).some(isOurs),
        hasFirstRow: snapshot.rows.some(({ id }) => BigInt(id) === firstRow),
      };
    });
    const last = found.length > READ_MERGES ? found[READ_MERGES - 1] : undefined;
    return {
      ...seen,
      ...behind,
      found: found.slice(0, READ_MERGES),
      readUpTo: last === undefined ? readUpTo : BigInt(last.eventId),
    };
  }

  protected seen(
    lastApplied: AppliedRow | null,
  ): Promise<Omit<Poll, "found" | "readUpTo" | "peerWrites" | "hasFirstRow">> {
    return this.statement("poll", async () => {
      const { server } = this.wire;
      const snapshot = this.snapshot();
      server.reading += 1;
      // The snapshot is taken when the statement starts, pg_locks is read as it is a moment later.
      await this.step("poll: pg_locks");
      server.reading -= 1;
      return {
        newest: newestIn(snapshot),
        drawn: BigInt(server.drawn),
        holders: this.holders(),
        appliedFingerprint: this.appliedIn(snapshot, lastApplied),
      };
    });
  }

  async pageEnd(after: bigint, upTo: bigint): Promise<bigint> {
    const { pageRows } = this.wire;
    if (upTo - after <= BigInt(pageRows)) return upTo;
    return this.statement("page end", () => {
      const page = between(this.snapshot(), after, upTo).slice(0, pageRows);
      return page.length < pageRows ? upTo : BigInt(page.at(-1)?.id ?? 0);
    });
  }

  merges(after: bigint, upTo: bigint): Promise<FoundMerge[]> {
    return this.statement(`merges ${after}..${upTo}`, () => {
      const snapshot = this.snapshot();
      return between(snapshot, after, upTo)
        .filter(isMerge)
        .map((row) => ({
          eventId: String(row.id),
          workItemId: row.item,
          mergedAt: mergedAt(row.id),
          ageMs: 0,
          facts: row.item === null ? null : newestFacts(snapshot, row.item),
          recordedAs: recordedAs(snapshot, row),
        }));
    });
  }

  journal(after: bigint, upTo: bigint): Promise<RawJournalRow[]> {
    return this.statement(`journal ${after}..${upTo}`, () =>
      between(this.snapshot(), after, upTo).filter(isOurs).map(raw),
    );
  }

  newestJournal(rows: number, upTo: bigint): Promise<RawJournalRow[]> {
    return this.statement("newest journal", () =>
      between(this.snapshot(), BEFORE_ALL, upTo).filter(isOurs).slice(-rows).toReversed().map(raw),
    );
  }

  /** Few, so that histories of the simulation are long. */
  readonly long = { merges: 4, checked: 2 };

  facts(
    source: FactsSource,
    upTo: bigint,
    row: (row: RawFactsRow) => void,
    other: (row: RawJournalRow) => void,
  ): Promise<boolean> {
    return this.statement(`facts ..${upTo}`, () => {
      tellFacts(between(this.snapshot(), BEFORE_ALL, upTo).filter(isRecord).map(raw), source, row, other);
      return true;
    });
  }

  recordedEvents(after: bigint, upTo: bigint): Promise<string[]> {
    return this.statement(`recorded events ${after}..${upTo}`, () =>
      between(this.snapshot(), after, upTo)
        .filter(isRecord)
        .map((row) => payloadOf(row).merge.event_id),
    );
  }

  otherMerges(merges: readonly Identified[]): Promise<ReadonlyMap<string, readonly bigint[]>> {
    return this.statement("other merges", () => {
      const all = this.snapshot().rows.filter(isMerge);
      return new Map(
        merges.map(({ eventId, workItemId }) => [
          eventId,
          all
            .filter(({ id, item }) => item !== null && item === workItemId && String(id) !== eventId)
            .map(({ id }) => BigInt(id)),
        ]),
      );
    });
  }

  setsOf(rowIds: readonly number[], upTo: bigint): Promise<RawJournalRow[]> {
    return this.statement(`sets of ${rowIds.length} rows`, () => {
      const rows = between(this.snapshot(), BEFORE_ALL, upTo).filter(isRecord);
      const items = new Set(rows.filter(({ id }) => rowIds.includes(id)).map(({ item }) => item));
      return rows.filter(({ item, kind }) => items.has(item) && IN_SET.test(kind)).map(raw);
    });
  }

  journalSince(lastApplied: AppliedRow | null, after: bigint): Promise<Since> {
    return this.statement(`journal since ${after}`, () => {
      return this.sinceIn(this.snapshot(), lastApplied, after);
    });
  }

  protected sinceIn(snapshot: State, lastApplied: AppliedRow | null, after: bigint): Since {
    return {
      appliedFingerprint: this.appliedIn(snapshot, lastApplied),
      rows: between(snapshot, after, null).filter(isOurs).slice(0, SINCE_ROWS).map(raw),
      more: between(snapshot, after, null).filter(isOurs).length > SINCE_ROWS,
    };
  }

  async *checkpoints(upTo: bigint): AsyncGenerator<CheckpointInLog> {
    const found = await this.statement("checkpoints", () =>
      between(this.snapshot(), BEFORE_ALL, upTo)
        .filter(isCheckpoint)
        .map((row) => ({ rowId: String(row.id), seq: Number(payloadOf(row)["seq"]) })),
    );
    yield* found.toReversed();
  }

  checkpoint(rowId: string): Promise<string | null> {
    return this.statement(
      "checkpoint",
      () => this.snapshot().rows.find((row) => String(row.id) === rowId)?.payload ?? null,
    );
  }
}

function newestIn(state: State): bigint {
  const newest = state.rows.at(-1);
  return newest === undefined ? BEFORE_ALL : BigInt(newest.id);
}

/** Rows with after < id ≤ upTo. */
function between(state: State, after: bigint, upTo: bigint | null): Row[] {
  return state.rows.filter((row) => row.id > after && (upTo === null || row.id <= upTo));
}

function isOurs(row: Row): boolean {
  return isRecord(row) || isCheckpoint(row);
}

function raw(row: Row): RawJournalRow {
  return { id: String(row.id), kind: row.kind, payload: isCheckpoint(row) ? null : row.payload };
}

function newestFacts(state: State, item: string): RawFacts | null {
  return state.items.get(item)?.at(-1) ?? null;
}

function recordedAs(state: State, merge: Row): string | null {
  for (const row of state.rows) {
    if (merge.item !== null && row.item === merge.item && RECORDING.test(row.kind))
      return payloadOf(row).merge.event_id;
  }
  return null;
}

export function fingerprint(payload: string): string {
  return createHash("sha256").update(payload).digest("hex");
}
