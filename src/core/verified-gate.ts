/** Whether a gate could have come to where a row says it stands, and a crossing's row tells of just that. */
import { direction, nextState } from "./gate.ts";
import type { MetricRow } from "./journal-row.ts";
import type { MetricSettings } from "./metric.ts";
import { sameReading } from "./replayed-gate.ts";
import { NO_MEMORY } from "./scope-state.ts";
import {
  type Findings,
  globalBeside,
  lineOf,
  numbers,
  payloadOf,
  tell,
  type VerifiedRow,
} from "./verified-row.ts";
import type { VerifiedScope } from "./verified-scope.ts";

/** The set that a row stands in. */
export type Beside = {
  readonly set: readonly VerifiedRow[];
  readonly index: number;
  /** Whether rows of the set are missing: a crossing may be among them. */
  readonly incomplete: boolean;
};

/** Whether the gate could have come where the row says it stands; it is believed from there on. */
export function verifyGate(
  row: VerifiedRow,
  scope: VerifiedScope,
  { set, index, incomplete }: Beside,
  findings: Findings,
): void {
  const next = set[index + 1];
  const crossed = next?.crossing != null && lineOf(next) === lineOf(row) ? next : null;
  const memory = scope.gates.get(row.metric);
  const before = memory ?? NO_MEMORY;
  // The first row after a gap stands for itself.
  const inherited = memory === undefined && !scope.complete;
  const state = row.state ?? "unknown";
  const crossing = crossed?.crossing ?? null;
  if (crossed !== null && crossing !== null) {
    const due = row.value === null ? "unknown" : nextState(crossing, crossing.from, row.value);
    const follows = inherited || crossing.from === before.state;
    if (!follows || crossing.from === crossing.to || crossing.to !== due || due === "unknown") {
      tell(
        findings,
        "crossing",
        crossed,
        `from ${crossing.from} to ${crossing.to} at ${row.value}`,
        due === before.state && !inherited
          ? `no crossing: ${before.state} at ${row.value} stays ${due}`
          : `from ${inherited ? crossing.from : before.state} to ${due} at ${row.value}`,
      );
    }
    if (state !== crossing.to) tell(findings, "state", row, state, crossing.to);
    if (!inherited && (scope.complete || before.crossed !== null))
      verifyPrevious(crossed, before.crossed, findings);
  } else if (row.state !== null && !inherited) {
    const global = globalBeside(row, set);
    const joins =
      row.scope === "project" && before.state === "unknown" && !before.defined && row.value !== null;
    const due = joins && global !== undefined ? (global.state ?? "unknown") : before.state;
    if (state !== due)
      tell(
        findings,
        "state",
        row,
        state,
        incomplete ? `${due}, or the crossing that is missing` : `${due}: there is no crossing`,
      );
  }
  scope.gates.set(row.metric, {
    state,
    defined: row.value !== null,
    crossed: crossing === null ? before.crossed : { eventId: row.merge.eventId, since: row.merge.mergedAt },
  });
}

function verifyPrevious(
  row: VerifiedRow,
  due: { readonly eventId: string; readonly since: string | null } | null,
  findings: Findings,
): void {
  const { previous } = row.crossing ?? {};
  if (previous?.eventId === due?.eventId && previous?.since === due?.since) return;
  const text = (one: typeof due | undefined) => (one == null ? "none" : `event ${one.eventId}, ${one.since}`);
  tell(findings, "crossing", row, `previous: ${text(previous)}`, `previous: ${text(due)}`);
}

/** The row of a crossing repeats the row before it, and says which way the gate went. */
export function verifyCrossing(row: VerifiedRow, { set, index }: Beside, findings: Findings): void {
  const before = set[index - 1];
  if (
    before === undefined ||
    before.crossing !== null ||
    !sameReading(before, row) ||
    !isDeepStrictJson(payloadOf(before)["effective"], payloadOf(row)["effective"])
  ) {
    tell(
      findings,
      "crossing",
      row,
      `${numbers(row)}, ${row.state}`,
      "a copy of the row just before it, which crossed",
    );
  }
  const { direction: way, gate } = payloadOf(row);
  const to = row.crossing?.to ?? "unknown";
  if (way !== direction(to))
    tell(
      findings,
      "crossing",
      row,
      `direction ${JSON.stringify(way)}`,
      `direction ${JSON.stringify(direction(to))}`,
    );
  if (typeof gate !== "string" || gate === "")
    tell(findings, "crossing", row, `gate ${JSON.stringify(gate)}`, "the gate's name");
}

/** Counts a state that today's bounds would not give: written under others, which is no difference. */
export function compareWithToday(
  row: MetricRow,
  metrics: readonly MetricSettings[],
  { counts }: Findings,
): void {
  const gate = metrics.find(({ name }) => name === row.metric)?.gate ?? null;
  if (gate === null || row.state === null || row.value === null) return;
  if (nextState(gate, row.state, row.value) !== row.state) counts.other_bounds += 1;
}

/** JSON values that were written by the same code, so that their keys stand in the same order. */
function isDeepStrictJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
