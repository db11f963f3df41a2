/** The top of the page: whether the daemon records, what to do if it does not, and the age of the numbers. */
import type { Snapshot } from "../../core/snapshot.ts";
import type { ReadinessReport } from "../../events/readiness.ts";
import { count, span } from "../../text/figures.ts";
import { safe } from "../../text/safe.ts";
import { sinceHtml, timeHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

export type Condition = {
  readonly readiness: ReadinessReport;
  /** What keeps the daemon from recording, and what to do about it. */
  readonly problems: readonly string[];
  /** Whether memory equals the log now. If not, the last known values are shown. */
  readonly current: boolean;
};

export function daemonState(condition: Condition, snapshot: Snapshot | null): Html {
  const { ready, degraded } = condition.readiness;
  const word = !ready ? "not recording" : degraded ? "recording, polling only" : "recording";
  const meaning = !ready ? "restricted" : degraded ? "unknown" : "permissive";
  return html`<section id="state" class="part" aria-label="Daemon">
<p><span class="state ${meaning}">${word}</span> ${snapshot === null ? null : asOf(snapshot)}</p>${obstacles(condition, snapshot)}</section>`;
}

/** Null if the daemon records. */
function obstacles({ readiness, problems, current }: Condition, snapshot: Snapshot | null): Html | null {
  const failing = Object.entries(readiness.checks).filter(([, { ok }]) => !ok);
  if (failing.length === 0 && current) return null;
  const { database } = readiness.checks;
  const what = !database.ok
    ? html`Database unavailable${sinceHtml(database.since)}.`
    : problems.length > 0
      ? html`The daemon cannot record.`
      : current
        ? null
        : html`The daemon restores its memory.`;
  const shown = current
    ? null
    : snapshot === null
      ? html` Values appear when the daemon has read the journal.`
      : html` The values below are the last known ones, of merge ${snapshot.as_of.seq}, ${timeHtml(snapshot.as_of.merged_at)}. The daemon retries, and continues where it stopped.`;
  const checks = failing.map(
    ([check, { reason, since }]) =>
      html`<li>${check}: ${(reason ?? "").replaceAll("_", " ")}${sinceHtml(since)}</li>`,
  );
  return html`<div class="obstacle${current ? "" : " stale"}">${what === null ? null : html`<p><b>${what}</b>${shown}</p>`}${problems.map(
    (problem) => html`<p class="remedy">${sentence(safe(problem, 1000))}</p>`,
  )}${checks.length === 0 ? null : html`<ul class="reasons">${checks}</ul>`}</div>`;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.)]$/.test(text) ? "" : "."}`;
}

function asOf({
  as_of: { seq, event_id, merged_at },
  lag,
  skipped,
  refused,
  history_truncated,
}: Snapshot): Html {
  const newest =
    event_id === null
      ? html`no merge recorded yet`
      : html`as of merge <b class="seq">${seq}</b> (event ${event_id}, ${timeHtml(merged_at)})`;
  const waiting = lag.seconds === null ? null : html`, the oldest for ${span(lag.seconds)}`;
  return html`${newest} · lag ${lag.merges}${waiting} · ${count(skipped.total, "merge")} skipped${
    refused.total === 0 ? null : html` · ${count(refused.total, "merge")} refused by events_outbox`
  }${history_truncated ? html` · old rows are gone, so windows count up again` : null}`;
}
