/** The proof of a checkpoint: it must hold exactly what would be written in its place. If rows before it are missing, it may know more. */
import type { Analyzer } from "./analyzer.ts";
import { analyzerFrom, parseCheckpoint } from "./checkpoint.ts";
import type { Found } from "./difference.ts";
import { METRIC_NAMES } from "./metric.ts";
import { CHECKPOINT_KIND } from "./metric-event.ts";
import { type GateMemory, NO_MEMORY, type ScopeMemory } from "./scope-memory.ts";
import { attemptsIn, type Entry, verdictIn } from "./window.ts";

/** The journal up to a checkpoint. */
export type Proven = {
  readonly analyzer: Analyzer;
  /** The newest row that records a merge or a skip; null where all that the checkpoint covers are gone. */
  readonly newestRowId: string | null;
};

type Report = (recorded: string, expected: string, project?: string | null) => void;

export function proveCheckpoint(
  { analyzer, newestRowId }: Proven,
  rowId: string,
  text: string | null,
  differs: (found: Found) => void,
): void {
  const report: Report = (recorded, expected, project = null) =>
    differs({ kind: "checkpoint", row_id: rowId, recorded, expected, project });
  const unusable = (reason: string) =>
    report(`${CHECKPOINT_KIND}: ${reason}`, "a checkpoint that can be read");
  const checkpoint = parseCheckpoint(text);
  if (typeof checkpoint === "string") return unusable(checkpoint);
  const stated = analyzerFrom(checkpoint, [], checkpoint.capacity, analyzer.verdicts);
  if (typeof stated === "string") return unusable(stated);
  if (newestRowId === null) return;
  const { truncated, newest, skipped } = analyzer;
  if (checkpoint.row_id !== newestRowId) report(`row_id ${checkpoint.row_id}`, `row_id ${newestRowId}`);
  const key = `checkpoint|${checkpoint.row_id}|${checkpoint.low_mark}`;
  if (checkpoint.key !== key) report(`key ${checkpoint.key}`, `key ${key}`);
  if (truncated ? stated.skipped < skipped : stated.skipped !== skipped)
    report(`skipped ${stated.skipped}`, `skipped ${skipped}${truncated ? " or more" : ""}`);
  if (newest !== null && stated.newest?.event_id !== newest.event_id)
    report(`newest event ${stated.newest?.event_id ?? "none"}`, `newest event ${newest.event_id}`);
  if (checkpoint.seq !== stated.global.seq)
    report(`seq ${checkpoint.seq}`, `seq ${stated.global.seq}, as of its global scope`);
  proveScope(stated.global, analyzer.global, analyzer, report);
  for (const [name, scope] of analyzer.projects) {
    const reportOf: Report = (recorded, expected) => report(recorded, expected, name);
    if (stated.projects.has(name)) proveScope(stated.project(name), scope, analyzer, reportOf);
    else reportOf("no facts of this project", `${scope.ring.length} merges`);
  }
  for (const [name, { seq }] of stated.projects) {
    if (!analyzer.projects.has(name) && !truncated && seq > 0) report(`${seq} merges`, "none", name);
  }
}

function proveScope(stated: ScopeMemory, due: ScopeMemory, { verdicts }: Analyzer, report: Report): void {
  if (due.placed && stated.seq !== due.seq) report(`seq ${stated.seq}`, `seq ${due.seq}`);
  const known = Math.min(due.ring.length, stated.ring.capacity);
  const { length } = stated.ring;
  if (due.complete ? length !== known : length < known)
    report(`${length} merges`, `${known} merges${due.complete ? "" : " or more"}`);
  const factsOf = (entry: Entry) =>
    `attempts ${attemptsIn(entry)}, verdict ${JSON.stringify(verdicts.nameOf(verdictIn(entry)))}`;
  for (let age = Math.min(known, length) - 1; age >= 0; age -= 1) {
    const [recorded, expected] = [stated.ring.at(age), due.ring.at(age)];
    if (recorded === expected) continue;
    report(`the merge ${age} before the newest: ${factsOf(recorded)}`, factsOf(expected));
    break;
  }
  for (const name of METRIC_NAMES) {
    const [recorded, expected] = [stated.gate(name), due.gate(name)];
    if (expected === NO_MEMORY && !due.complete) continue;
    const crossedIsKnown = due.complete || expected.crossed !== null;
    const states = gateText(recorded, recorded.crossed);
    const dueStates = gateText(expected, crossedIsKnown ? expected.crossed : recorded.crossed);
    if (states !== dueStates) report(`${name}: ${states}`, `${name}: ${dueStates}`);
  }
}

function gateText({ state, defined }: GateMemory, crossed: GateMemory["crossed"]): string {
  return `${state}, ${defined ? "defined" : "undefined"}, crossed at ${crossed?.event_id ?? "never"}`;
}
