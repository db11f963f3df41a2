/** One project: its window and what could move its gate, as `metrics explain --project` says it. */
import type { ExplainedMerge, Explanation } from "../../core/explanation.ts";
import { count } from "../../text/figures.ts";
import { safe } from "../../text/safe.ts";
import { boundsBar } from "./bounds-bar.ts";
import { meaningOfState, movesHtml, neededHtml, sinceHtml, stateHtml, TITLES, valueHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

export function project(name: string, explanations: readonly Explanation[]): Html {
  const gated = explanations.filter(({ gate }) => gate !== null);
  const others = explanations.filter(({ gate }) => gate === null);
  return html`<section class="project" aria-label="Project ${safe(name)}">${gated.map(explained)}<p class="detail">${others.map(
    ({ metric, value, n, window, gate }) =>
      html`${TITLES[metric]}: ${valueHtml(metric, value, gate)} <span class="aside">n=${n}/${window}</span> `,
  )}</p></section>`;
}

function explained(explanation: Explanation): Html {
  const { metric, value, numerator, n, window, gate, effective, merges, leaves_next: leaving } = explanation;
  if (gate === null) return html``;
  return html`<p>${stateHtml(metric, gate.state, gate.name)} ${meaningOfState(metric, gate.state)}${sinceHtml(gate.since)}${
    effective?.scope === "global"
      ? html` · a policy uses the global ${valueHtml(metric, effective.value, gate)} ${stateHtml(metric, effective.state)}`
      : null
  }</p>
<p class="detail">${TITLES[metric]}: <b>${valueHtml(metric, value, gate)}</b>${numerator === null ? null : html` · ${numerator} of ${n}`} · n=${n}/${window}${neededHtml(explanation)}</p>
${boundsBar(metric, value, gate)}${movesHtml(explanation)}
<p class="detail">Window, oldest first: ■ counts, □ does not${
    leaving === null
      ? null
      : html`. The oldest leaves with the next merge and ${leaving.counted === true ? "counts" : "does not count"}`
  }.</p>
<p class="window" aria-hidden="true">${merges.map(sign)}</p>`;
}

function sign({ counted, attempts, seq, merged_at: mergedAt, last_verdict: verdict }: ExplainedMerge): Html {
  const known = seq === null ? "" : `merge ${seq}, `;
  const says = `${known}${count(attempts, "attempt")}${verdict === null ? "" : `, ${safe(verdict, 40)}`}${mergedAt === null ? "" : `, ${mergedAt}`}`;
  return html`<span title="${says}">${counted === true ? "■" : "□"}</span>`;
}
