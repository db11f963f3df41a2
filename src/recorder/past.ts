/**
 * What the process knows of its past: memory is forgotten with each connection, and the next restore is compared with this.
 *
 *   - the last applied row and the seq: they show a log that went back in time meanwhile (restored, truncated, emptied by a
 *     crash, replaced)
 *   - a transaction whose COMMIT was not answered
 *   - whether the log contradicted itself when it was last read
 */
import { LARGEST_ID } from "../core/event-id.ts";
import { UnfitLog } from "../core/journal-row.ts";
import type { DaemonEvent } from "../events/daemon-event.ts";
import type { AppliedRow, OutboxLog } from "../outbox/outbox-log.ts";
import type { Recorder } from "./recorder.ts";
import { outcomeOf, type Unanswered } from "./writer.ts";

export class Past {
  #memory: { readonly lastApplied: AppliedRow; readonly seq: number } | null = null;
  #unanswered: Unanswered | null = null;
  #contradicted = false;

  /** Whether the log contradicted itself when it was last read. */
  get contradicted(): boolean {
    return this.#contradicted;
  }

  /** Merges that the last memory included; 0 where none is known. */
  get seq(): number {
    return this.#memory?.seq ?? 0;
  }

  /** A connection is given up because of an error. */
  remember(error: unknown, recorder: Recorder | null): void {
    this.#contradicted ||= error instanceof UnfitLog;
    if (recorder === null) return;
    const { lastApplied, analyzer } = recorder.projection;
    this.#unanswered = recorder.writer.unanswered() ?? this.#unanswered;
    if (lastApplied !== null) this.#memory = { lastApplied, seq: analyzer.global.seq };
  }

  /** A reset has been reported: the next restore need not be compared. */
  forgetMemory(): void {
    this.#memory = null;
  }

  /** Compares a restored log with the past, once. @returns what to report. */
  async compare(log: OutboxLog, seq: number): Promise<DaemonEvent[]> {
    const [memory, unanswered] = [this.#memory, this.#unanswered];
    const since = memory === null ? null : await log.journalSince(memory.lastApplied, LARGEST_ID);
    const outcome = unanswered === null ? null : await outcomeOf(log, unanswered);
    this.#memory = null;
    this.#unanswered = null;
    this.#contradicted = false;
    const events: DaemonEvent[] = [];
    if (memory !== null && (since?.appliedFingerprint !== memory.lastApplied.fingerprint || seq < memory.seq))
      events.push({
        event: "history.reset",
        row_id: memory.lastApplied.id,
        seq_before: memory.seq,
        seq_now: seq,
        lost: Math.max(0, memory.seq - seq),
      });
    if (outcome !== null) events.push({ event: "commit.resolved", outcome });
    return events;
  }
}
