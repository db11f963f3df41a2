/** The line on top: whether the daemon does its job, and how old the numbers are. */
import type { Snapshot } from "../../core/snapshot.ts";
import type { ReadinessReport } from "../../events/readiness.ts";
import { count, span } from "../../text/figures.ts";
import { timeHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

export function daemonState({ ready, degraded, checks }: ReadinessReport, snapshot: Snapshot | null): Html {
  const failing = Object.entries(checks).filter(([, { ok }]) => !ok);
  const word = !ready ? "not recording" : degraded ? "recording, polling only" : "recording";
  const reasons = failing.map(
    ([check, { reason, since }]) =>
      html`<li>${check}: ${(reason ?? "").replaceAll("_", " ")}, since ${timeHtml(since)}</li>`,
  );
  return html`<section id="state" aria-label="Daemon">
<p><span class="state ${ready ? (degraded ? "unknown" : "open") : "restricted"}">${word}</span> ${
    snapshot === null
      ? html`The daemon is reading the journal. Numbers appear when its memory equals the log.`
      : asOf(snapshot)
  }</p>
${reasons.length === 0 ? null : html`<ul class="reasons">${reasons}</ul>`}</section>`;
}

function asOf({
  as_of: { seq, event_id, merged_at, generated_at },
  lag,
  skipped,
  refused,
  history_truncated,
}: Snapshot): Html {
  const newest =
    event_id === null
      ? html`no merge recorded yet`
      : html`as of merge <b class="seq">${seq}</b> (event ${event_id}, ${timeHtml(merged_at, "seconds")})`;
  const waiting = lag.seconds === null ? null : html`, the oldest for ${span(lag.seconds)}`;
  return html`${newest} · lag ${lag.merges}${waiting} · ${count(skipped.total, "merge")} skipped${
    refused.total === 0 ? null : html` · ${count(refused.total, "merge")} refused by events_outbox`
  }${
    history_truncated ? html` · old rows are gone, so windows count up again` : null
  } · shown at ${timeHtml(generated_at, "seconds")}`;
}
