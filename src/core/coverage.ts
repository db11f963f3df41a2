/**
 * Coverage: which merges are known to be recorded, whether or not the rows that record them still exist. Every merge up to the
 * low-water mark is, except the few that were refused; above the mark, merges are listed one by one. They are identified by their
 * events, because a work item may be deleted and its `work_item_id` become null.
 *
 * Not promised: a merge that no lock announced may appear below the mark. The reconciliation recognises it by ids
 * (`restore/due-merges.ts`).
 */
import { isId } from "./json.ts";

/** Coverage as a checkpoint stores it. */
export type StoredCoverage = {
  /** Every merge up to this id is recorded, but for `unrecorded`. */
  readonly low_mark: string;
  /** The merges above it that are recorded: distances from one to the next, beginning at the low-water mark. */
  readonly recorded_above: string;
  /** Merges up to the low-water mark that are not recorded: the table refused them. */
  readonly unrecorded: readonly string[];
};

export class Coverage {
  /** The low-water mark. */
  low: bigint;
  readonly #above: Set<bigint>;
  readonly #unrecorded: Set<bigint>;

  constructor(low: bigint, above: Iterable<bigint> = [], unrecorded: Iterable<bigint> = []) {
    this.low = low;
    this.#above = new Set(above);
    this.#unrecorded = new Set(unrecorded);
  }

  /** Whether this merge is known to be recorded. */
  covers(eventId: bigint): boolean {
    return eventId <= this.low ? !this.#unrecorded.has(eventId) : this.#above.has(eventId);
  }

  /** Merges that could not be recorded so far, at any id. */
  get unrecorded(): ReadonlySet<bigint> {
    return this.#unrecorded;
  }

  /** This merge has been recorded. */
  add(eventId: bigint): void {
    this.#unrecorded.delete(eventId);
    if (eventId > this.low) this.#above.add(eventId);
  }

  /** This merge could not be recorded and stays due, whatever the low-water mark does. */
  except(eventId: bigint): void {
    this.#unrecorded.add(eventId);
  }

  /** This merge is not due any more: its row is gone. */
  forget(eventId: bigint): void {
    this.#unrecorded.delete(eventId);
  }

  /** Every merge up to here has been recorded or is listed as unrecorded. */
  rise(low: bigint): void {
    if (low <= this.low) return;
    this.low = low;
    for (const eventId of this.#above) if (eventId <= low) this.#above.delete(eventId);
  }

  stored(): StoredCoverage {
    let before = this.low;
    const distances: string[] = [];
    for (const eventId of [...this.#above].toSorted(ascending)) {
      distances.push(String(eventId - before));
      before = eventId;
    }
    return {
      low_mark: String(this.low),
      recorded_above: distances.join(" "),
      unrecorded: [...this.#unrecorded].toSorted(ascending).map(String),
    };
  }
}

/** The coverage that was stored; null where it is not whole. */
export function readCoverage({
  low_mark,
  recorded_above,
  unrecorded,
}: Readonly<Record<string, unknown>>): Coverage | null {
  if (!isId(low_mark) || typeof recorded_above !== "string") return null;
  if (!/^(?:[1-9][0-9]{0,19}(?: [1-9][0-9]{0,19})*)?$/.test(recorded_above)) return null;
  if (!Array.isArray(unrecorded) || !unrecorded.every(isId)) return null;
  let place = BigInt(low_mark);
  const above =
    recorded_above === "" ? [] : recorded_above.split(" ").map((distance) => (place += BigInt(distance)));
  return new Coverage(BigInt(low_mark), above, unrecorded.map(BigInt));
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
