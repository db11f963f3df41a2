/** Merges of which only the whole log shows whether they are due: see `DueMerges.dueOfDoubtful`. */
import type { FoundMerge, OutboxLog } from "../outbox-log.ts";
import type { DueMerges } from "../restore/due-merges.ts";
import { checkOrder } from "./check-order.ts";

export class Doubts {
  readonly #log: OutboxLog;
  readonly #recorded: DueMerges;
  /** Their events. */
  readonly #events = new Set<string>();

  constructor(log: OutboxLog, recorded: DueMerges) {
    this.#log = log;
    this.#recorded = recorded;
  }

  get areThere(): boolean {
    return this.#events.size > 0;
  }

  add(merges: readonly FoundMerge[]): void {
    for (const { eventId } of merges) this.#events.add(eventId);
  }

  /** Drops those whose events are named by rows with after < id ≤ upTo. */
  async clear(after: bigint, upTo: bigint): Promise<void> {
    if (!this.areThere) return;
    for (const event of await this.#log.recordedEvents(after, upTo)) this.#events.delete(event);
  }

  /**
   * Decides about all of them.
   * @param after the id up to which rows have been looked at for their events.
   * @returns those that are due.
   * @throws UnfitLog where their rows are gone from the middle of the journal: its order has a gap then.
   */
  async decide(after: bigint): Promise<readonly FoundMerge[]> {
    await this.clear(after, await this.#log.newest());
    const ids = [...this.#events].map(BigInt);
    this.#events.clear();
    // Again: another daemon may have recorded them since their page was read.
    const found: FoundMerge[] = [];
    for (const id of ids) found.push(...(await this.#log.merges(id - 1n, id)));
    const due = await this.#recorded.dueOfDoubtful((await this.#recorded.classify(found)).doubtful);
    if (due.length > 0) await checkOrder(this.#log);
    return due;
  }
}
