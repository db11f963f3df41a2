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
import { isCheckpoint, isMerge, isOfJournal, isRecord, mergedAt, payloadOf, type Row } from "./rows.ts";
import type { SessionId, State } from "./server.ts";
import { andThen, type Statement, statement } from "./statement.ts";
import type { Wire } from "./wire.ts";

const RECORDING =
  /^metric\.(first_pass_merge_rate|rebase_conflict_rate|p95_attempts_to_merge|merge_skipped)$/;
/** Of the rows of a set, as against a skip. */
const IN_SET =
  /^metric\.(first_pass_merge_rate|rebase_conflict_rate|p95_attempts_to_merge|threshold_crossed)$/;

/** Few, so that what others have recorded often takes more than one statement. */
const SINCE_ROWS = 6;
/** Few, so that new merges are often more than a poll reads. */
const READ_MERGES = 2;

export class SimulatedReader {
  protected readonly wire: Wire;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  async end(): Promise<void> {
    this.wire.channel.end();
  }

  destroy(): void {
    this.wire.channel.destroy();
  }

  protected get session(): SessionId {
    return this.wire.channel.session;
  }

  protected send<T>(sent: Statement<T>): Promise<T> {
    return this.wire.channel.send(sent);
  }

  /** Sends a statement that only reads, and is over at once. */
  protected read<T>(name: string, run: (snapshot: State) => T): Promise<T> {
    return this.send(statement(name, () => run(this.snapshot())));
  }

  /** What a statement that starts now sees. */
  protected snapshot(): State {
    // A statement that reads the table keeps its lock to the end of the transaction: TRUNCATE waits for it.
    this.wire.server.reads(this.session);
    return this.wire.server.state;
  }

  /** The names of the transactions that may still bring rows, as `pg_locks` gives them. */
  protected holders(): Set<string> {
    return new Set([...this.wire.server.holders(this.session)].map(({ name }) => name).toSorted());
  }

  /** The fingerprint of the last applied row, as a statement with this snapshot finds it. */
  protected appliedIn(snapshot: State, lastApplied: AppliedRow | null): string | null {
    const row =
      lastApplied === null ? undefined : snapshot.rows.find((one) => String(one.id) === lastApplied.id);
    return row === undefined ? null : fingerprint(row.payload);
  }

  newest(): Promise<bigint> {
    return this.read("newest", newestIn);
  }

  oldest(): Promise<bigint | null> {
    return this.read("oldest", ({ rows: [oldest] }) => (oldest === undefined ? null : BigInt(oldest.id)));
  }

  async poll({ lastApplied, after, appliedPosition, firstRow }: PollBasis): Promise<Poll> {
    const seen = await this.seen(lastApplied);
    const readUpTo = after + BigInt(this.wire.pageRows);
    const found = await this.merges(after, readUpTo);
    const behind = await this.read("peer writes", (snapshot) => ({
      peerWrites: between(snapshot, appliedPosition, null).some(isOfJournal),
      hasFirstRow: snapshot.rows.some(({ id }) => BigInt(id) === firstRow),
    }));
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
    const { server } = this.wire;
    const begins = statement("poll", () => {
      const snapshot = this.snapshot();
      server.reading.add(this.session);
      return { newest: newestIn(snapshot), appliedFingerprint: this.appliedIn(snapshot, lastApplied) };
    });
    // The snapshot is taken when the statement starts, pg_locks is read as it is a moment later.
    const looksAtLocks = andThen(begins, "pg_locks", (begun) => {
      server.reading.delete(this.session);
      return { ...begun, drawn: BigInt(server.drawn), holders: this.holders() };
    });
    return this.send(looksAtLocks);
  }

  async pageEnd(after: bigint, upTo: bigint): Promise<bigint> {
    const { pageRows } = this.wire;
    if (upTo - after <= BigInt(pageRows)) return upTo;
    return this.read("page end", (snapshot) => {
      const page = between(snapshot, after, upTo).slice(0, pageRows);
      return page.length < pageRows ? upTo : BigInt(page.at(-1)?.id ?? 0);
    });
  }

  merges(after: bigint, upTo: bigint): Promise<FoundMerge[]> {
    return this.read(`merges ${after}..${upTo}`, (snapshot) =>
      between(snapshot, after, upTo)
        .filter(isMerge)
        .map((row) => ({
          eventId: String(row.id),
          workItemId: row.item,
          mergedAt: mergedAt(row.id),
          ageMs: 0,
          facts: row.item === null ? null : newestFacts(snapshot, row.item),
          recordedAs: recordedAs(snapshot, row),
        })),
    );
  }

  journal(after: bigint, upTo: bigint): Promise<RawJournalRow[]> {
    return this.read(`journal ${after}..${upTo}`, (snapshot) =>
      between(snapshot, after, upTo).filter(isOfJournal).map(raw),
    );
  }

  newestJournal(rows: number, upTo: bigint): Promise<RawJournalRow[]> {
    return this.read("newest journal", (snapshot) =>
      between(snapshot, BEFORE_ALL, upTo).filter(isOfJournal).slice(-rows).toReversed().map(raw),
    );
  }

  /** Few, so that histories of the simulation are long. */
  readonly long = { merges: 4, checked: 2 };

  async facts(
    source: FactsSource,
    upTo: bigint,
    row: (row: RawFactsRow) => void,
    other: (row: RawJournalRow) => void,
  ): Promise<boolean> {
    const rows = await this.read(`facts ..${upTo}`, (snapshot) =>
      between(snapshot, BEFORE_ALL, upTo).filter(isRecord).map(raw),
    );
    tellFacts(rows, source, row, other);
    return true;
  }

  recordedEvents(after: bigint, upTo: bigint): Promise<string[]> {
    return this.read(`recorded events ${after}..${upTo}`, (snapshot) =>
      between(snapshot, after, upTo)
        .filter(isRecord)
        .map((row) => payloadOf(row).merge.event_id),
    );
  }

  otherMerges(merges: readonly Identified[]): Promise<ReadonlyMap<string, readonly bigint[]>> {
    return this.read("other merges", ({ rows }) => {
      const all = rows.filter(isMerge);
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
    return this.read(`sets of ${rowIds.length} rows`, (snapshot) => {
      const rows = between(snapshot, BEFORE_ALL, upTo).filter(isRecord);
      const items = new Set(rows.filter(({ id }) => rowIds.includes(id)).map(({ item }) => item));
      return rows.filter(({ item, kind }) => items.has(item) && IN_SET.test(kind)).map(raw);
    });
  }

  journalSince(lastApplied: AppliedRow | null, after: bigint): Promise<Since> {
    return this.read(`journal since ${after}`, (snapshot) => this.sinceIn(snapshot, lastApplied, after));
  }

  protected sinceIn(snapshot: State, lastApplied: AppliedRow | null, after: bigint): Since {
    return {
      appliedFingerprint: this.appliedIn(snapshot, lastApplied),
      rows: between(snapshot, after, null).filter(isOfJournal).slice(0, SINCE_ROWS).map(raw),
      more: between(snapshot, after, null).filter(isOfJournal).length > SINCE_ROWS,
    };
  }

  async *checkpoints(upTo: bigint): AsyncGenerator<CheckpointInLog> {
    const found = await this.read("checkpoints", (snapshot) =>
      between(snapshot, BEFORE_ALL, upTo)
        .filter(isCheckpoint)
        .map((row) => ({ rowId: String(row.id), seq: Number(payloadOf(row)["seq"]) })),
    );
    yield* found.toReversed();
  }

  checkpoint(rowId: string): Promise<string | null> {
    return this.read(
      "checkpoint",
      ({ rows }) => rows.find((row) => String(row.id) === rowId)?.payload ?? null,
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
