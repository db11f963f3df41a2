/** A row's numbers held against the recorded facts, and its effective reading against the global one beside it. */
import { isRatio } from "./catalogue.ts";
import type { MetricRow } from "./journal-row.ts";
import { asObject } from "./json.ts";
import { valueOf } from "./reading.ts";
import { type Effective, effective } from "./scope.ts";
import { type Findings, globalBeside, numbers, payloadOf, tell, type VerifiedRow } from "./verified-row.ts";
import type { VerifiedScope } from "./verified-scope.ts";

/** Value, numerator and n are what the merges of the scope give. */
export function verifyNumbers(row: MetricRow, scope: VerifiedScope, findings: Findings): void {
  const { n, window, value, numerator } = row;
  const ratio = isRatio(row.metric);
  const known = Math.min(scope.length, window);
  // Where merges are missing the writer may have known more of them, never fewer.
  const due = scope.complete ? known : Math.min(Math.max(n, known), window, scope.seq ?? window);
  if (due > scope.length) {
    findings.counts.not_judged += 1;
    const sound =
      n === due &&
      (value !== null) === (n === window) &&
      (ratio ? numerator !== null && (value === null || value === numerator / n) : numerator === null);
    if (!sound)
      tell(findings, "number", row, numbers(row), `numbers that agree with each other, n=${due}/${window}`);
    return;
  }
  const reading = scope.reading(row.metric, window, due, row.verdicts);
  if (n !== due || value !== valueOf(reading) || numerator !== reading.numerator)
    tell(findings, "number", row, numbers(row), numbers({ ...reading, value: valueOf(reading) }));
}

/** What a policy is told to use is what the two readings give. */
export function verifyEffective(row: VerifiedRow, set: readonly VerifiedRow[], findings: Findings): void {
  // Most rows have none: that is seen without reading them again.
  const recorded = row.text.includes('"effective"') ? payloadOf(row)["effective"] : undefined;
  if (row.scope === "global" || row.state === null) {
    if (recorded !== undefined) tell(findings, "effective", row, JSON.stringify(recorded), "none");
    return;
  }
  const global = globalBeside(row, set);
  if (global === undefined) return;
  const due = effective(
    { reading: readingOf(row), state: row.state },
    { reading: readingOf(global), state: global.state ?? "unknown" },
  );
  if (!sameEffective(recorded, due))
    tell(findings, "effective", row, effectiveText(recorded), effectiveText(due));
}

/** A recorded row as the reading that it states. */
function readingOf({ value, numerator, n, window }: MetricRow): Parameters<typeof effective>[0]["reading"] {
  return value === null
    ? { defined: false, numerator, n, window, needed: Math.max(0, window - n) }
    : { defined: true, value, numerator, n, window };
}

function sameEffective(recorded: unknown, due: Effective): boolean {
  const row = asObject(recorded);
  return (
    row !== null && row["scope"] === due.scope && row["value"] === due.value && row["state"] === due.state
  );
}

function effectiveText(stated: unknown): string {
  const row = asObject(stated);
  if (row === null) return "none";
  const { scope, value, state } = row;
  return `${JSON.stringify(scope)}: value ${JSON.stringify(value)}, ${JSON.stringify(state)}`;
}
