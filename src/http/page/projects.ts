/** Every project: its own readings, and what a policy about it follows. The busiest are shown, the others folded away. */
import { busiestFirst } from "../../core/busiest.ts";
import type { Snapshot, SnapshotMetric } from "../../core/snapshot.ts";
import { safe } from "../../text/safe.ts";
import { stateHtml, TITLES, valueHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

const OPEN = 25;
/** A longer table is not readable, and each refresh would carry it along. */
const MOST = 400;

export function projects(snapshot: Snapshot): Html {
  const busiest = busiestFirst(snapshot);
  const [open, folded] = [busiest.slice(0, OPEN), busiest.slice(OPEN, MOST)];
  return html`<section id="projects" aria-labelledby="projects-title"><h2 id="projects-title">Projects <span class="aside">${busiest.length}</span></h2>
<div class="card">${
    busiest.length === 0 ? html`<p>No project has merged anything yet.</p>` : table(open, "busiest projects")
  }${
    folded.length === 0
      ? null
      : html`<details id="more-projects"><summary>${folded.length} more</summary>${table(folded, "more projects")}</details>`
  }${
    busiest.length <= MOST
      ? null
      : html`<p class="aside">${busiest.length - MOST} further ones are in <a href="/snapshot.json">/snapshot.json</a>.</p>`
  }</div></section>`;
}

function table(rows: readonly (readonly [string, readonly SnapshotMetric[]])[], caption: string): Html {
  const first = rows[0]?.[1] ?? [];
  const gated = first.filter(({ effective }) => effective !== null);
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption class="unseen">${caption}</caption>
<thead><tr><th scope="col">project</th>${first.map(({ metric }) => html`<th scope="col">${TITLES[metric]}</th>`)}${gated.map(
    ({ gate }) => html`<th scope="col">${gate?.name ?? ""} follows</th>`,
  )}</tr></thead>
<tbody>${rows.map(([project, readings]) => row(project, readings))}</tbody></table></div>`;
}

function row(project: string, readings: readonly SnapshotMetric[]): Html {
  return html`<tr><th scope="row" class="name">${safe(project)}</th>${readings.map(reading)}${readings.map(follows)}</tr>`;
}

function reading({ metric, value, n, window, gate }: SnapshotMetric): Html {
  return html`<td data-metric="${metric}">${valueHtml(metric, value, gate)} <span class="aside">n=${n}/${window}</span></td>`;
}

function follows({ metric, effective, gate }: SnapshotMetric): Html | null {
  if (effective === null) return null;
  const whose = effective.scope === "global" ? "global " : effective.scope === "project" ? "own " : "";
  return html`<td>${whose}${valueHtml(metric, effective.value, gate)} ${stateHtml(metric, effective.state)}</td>`;
}
