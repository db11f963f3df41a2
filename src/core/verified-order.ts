/** The order of merges within a scope: seq counts 1, 2, 3 without gap or repeat. */
import type { Findings, VerifiedRow } from "./verified-row.ts";
import type { VerifiedScope } from "./verified-scope.ts";

/**
 * Where a scope goes on: with the next seq, or across a gap.
 * @param seq as the set says; null where it has no row of this scope.
 * @param project null for the global scope.
 */
export function follow(
  scope: VerifiedScope,
  first: VerifiedRow,
  seq: number | null,
  { differences }: Findings,
  project: string | null = null,
): void {
  if (seq === null) {
    if (scope.seq !== null) scope.seq += 1;
    return;
  }
  const expected = scope.seq === null ? null : scope.seq + 1;
  scope.seq = seq;
  if (expected === null) {
    if (seq === 1) scope.complete = true;
    return;
  }
  if (seq === expected) return;
  const gap = seq > expected;
  differences.add({
    kind: gap ? "seq_gap" : "seq_repeated",
    row_id: first.id,
    event_id: first.merge.eventId,
    scope: project === null ? "global" : "project",
    project,
    seq,
    recorded: `seq ${seq}`,
    expected: `seq ${expected}`,
  });
  if (gap) scope.forget();
}
