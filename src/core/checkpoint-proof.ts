/** The proof of a checkpoint: it must hold just what the rows before it give. */
import { type CheckpointPayload, parseCheckpoint, readFactWords } from "./checkpoint.ts";
import type { Differences } from "./difference.ts";
import { METRIC_NAMES } from "./metric.ts";
import { CHECKPOINT_KIND } from "./metric-event.ts";
import { NO_MEMORY } from "./scope-state.ts";
import type { VerifiedScope } from "./verified-scope.ts";
import type { Verifier } from "./verifier.ts";
import { attemptsIn, type Entry, flagsIn, packEntry } from "./window.ts";

type Scope = CheckpointPayload["global"];
type Tell = (recorded: string, expected: string, project?: string | null) => void;

/** Holds a checkpoint against the walk so far; where rows are missing from it, only against what is known. */
export function proveCheckpoint(
  verifier: Verifier,
  rowId: string,
  text: string | null,
  differences: Differences,
): void {
  const tell: Tell = (recorded, expected, project = null) =>
    differences.add({ kind: "checkpoint", row_id: rowId, recorded, expected, project });
  const checkpoint = parseCheckpoint(text);
  if (typeof checkpoint === "string") {
    tell(`${CHECKPOINT_KIND}: ${checkpoint}`, "a checkpoint that can be read");
    return;
  }
  const { global, projects, newestRowId, newest, counts, truncated } = verifier;
  // The rows that it stands for went from the old end: nothing here can prove it or contradict it.
  if (newestRowId === null) return;
  if (checkpoint.row_id !== newestRowId) tell(`row_id ${checkpoint.row_id}`, `row_id ${newestRowId}`);
  const key = `checkpoint|${checkpoint.row_id}|${checkpoint.low_mark}`;
  if (checkpoint.key !== key) tell(`key ${checkpoint.key}`, `key ${key}`);
  if (truncated ? checkpoint.skipped < counts.skipped : checkpoint.skipped !== counts.skipped)
    tell(`skipped ${checkpoint.skipped}`, `skipped ${counts.skipped}${truncated ? " or more" : ""}`);
  if (newest !== null && checkpoint.newest?.event_id !== newest.eventId)
    tell(`newest event ${checkpoint.newest?.event_id ?? "none"}`, `newest event ${newest.eventId}`);
  if (checkpoint.seq !== checkpoint.global.seq)
    tell(`seq ${checkpoint.seq}`, `seq ${checkpoint.global.seq}, as of its global scope`);
  proveScope(verifier, checkpoint, checkpoint.global, global, null, tell);
  const listed = new Map(checkpoint.projects.map((scope) => [scope.project, scope]));
  for (const [name, scope] of projects) {
    const one = listed.get(name);
    if (one === undefined) tell("no facts of this project", `${scope.length} merges`, name);
    else proveScope(verifier, checkpoint, one, scope, name, tell);
  }
  for (const [name, scope] of listed) {
    if (!projects.has(name) && !truncated && scope.seq > 0) tell(`${scope.seq} merges`, "none", name);
  }
}

function proveScope(
  verifier: Verifier,
  checkpoint: CheckpointPayload,
  stated: Scope,
  scope: VerifiedScope,
  project: string | null,
  tell: Tell,
): void {
  if (scope.seq !== null && stated.seq !== scope.seq) tell(`seq ${stated.seq}`, `seq ${scope.seq}`, project);
  const facts = readFactWords(stated.facts);
  if (facts === null) {
    tell("facts that cannot be read", "facts", project);
    return;
  }
  const known = Math.min(scope.length, checkpoint.capacity);
  if (scope.complete ? facts.length !== known : facts.length < known)
    tell(`${facts.length} merges`, `${known} merges${scope.complete ? "" : " or more"}`, project);
  const sets = checkpoint.verdict_sets.map(
    (verdicts) => new Set(verdicts.map((verdict) => verifier.verdicts.numberOf(verdict))),
  );
  for (let age = Math.min(known, facts.length) - 1; age >= 0; age -= 1) {
    const entry = facts[facts.length - 1 - age] as Entry;
    const { attempts, verdict } = scope.at(age);
    const flags = sets.reduce((bits, set, bit) => bits | (set.has(verdict) ? 1 << bit : 0), 0);
    if (entry === packEntry(attempts, flags)) continue;
    tell(
      `the merge ${age} before the newest: attempts ${attemptsIn(entry)}, verdict flags ${flagsIn(entry)}`,
      `attempts ${attempts}, verdict flags ${flags}`,
      project,
    );
    break;
  }
  for (const name of METRIC_NAMES) {
    const gate = stated.gates[name];
    const memory = scope.gates.get(name);
    if (memory === undefined && !scope.complete) continue;
    const due = memory ?? NO_MEMORY;
    const crossed = scope.complete || due.crossed !== null ? (due.crossed?.eventId ?? "never") : null;
    const states = `${gate?.state ?? "unknown"}, ${gate?.defined === true ? "defined" : "undefined"}`;
    const dueStates = `${due.state}, ${due.defined ? "defined" : "undefined"}`;
    const crossedThere = gate?.crossed?.event_id ?? "never";
    if (states !== dueStates || (crossed !== null && crossed !== crossedThere))
      tell(
        `${name}: ${states}, crossed at ${crossedThere}`,
        `${name}: ${dueStates}, crossed at ${crossed ?? crossedThere}`,
        project,
      );
  }
}
