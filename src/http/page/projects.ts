/**
 * The table of projects: the state and value that a policy about each must use, and its own readings. Restricted projects
 * come first, then those that merged last. The table is cut, and a filter finds the others.
 */

import type { Snapshot, SnapshotMetric } from "../../core/snapshot.ts";
import { mostRecentFirst } from "../../core/snapshot.ts";
import { count } from "../../text/figures.ts";
import { safe } from "../../text/safe.ts";
import { gateTitle, meaningOfState, stateHtml, TITLES, valueHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

/** Which projects a visitor asked for. */
export type View = {
  /** Part of a name, in any case; empty for all. */
  readonly filter: string;
  /** Without a limit. */
  readonly all: boolean;
};

const SHOWN = 100;

type Project = readonly [name: string, readings: readonly SnapshotMetric[]];

type Order = {
  readonly order: readonly Project[];
  /** Projects that their own merges restrict. */
  readonly restricted: number;
};

/** Keyed by the readings: they are the same as long as no merge is recorded. */
const ordered = new WeakMap<readonly SnapshotMetric[], Order>();

function inOrder(snapshot: Snapshot): Order {
  const before = ordered.get(snapshot.metrics);
  if (before !== undefined) return before;
  const byRank = Map.groupBy(mostRecentFirst(snapshot), ([, readings]) => rank(readings));
  const order = [0, 1, 2].flatMap((one) => byRank.get(one) ?? []);
  const made = { order, restricted: byRank.get(0)?.length ?? 0 };
  ordered.set(snapshot.metrics, made);
  return made;
}

/** 0 for a project that its own merges restrict, 1 for one that the global state restricts, 2 for the others. */
function rank(readings: readonly SnapshotMetric[]): number {
  const restricting = readings.flatMap(({ metric, effective }) =>
    effective !== null && meaningOfState(metric, effective.state) === "restricted" ? [effective.scope] : [],
  );
  return restricting.includes("project") ? 0 : restricting.length > 0 ? 1 : 2;
}

export function projects(snapshot: Snapshot, { filter, all }: View): Html {
  const { order: every, restricted } = inOrder(snapshot);
  const wanted = filter.toLowerCase();
  const found = wanted === "" ? every : every.filter(([name]) => name.toLowerCase().includes(wanted));
  const rows = all ? found : found.slice(0, SHOWN);
  return html`<section id="projects" aria-labelledby="projects-title"><h2 id="projects-title">Projects</h2>
<div class="card"><form role="search" class="filter"><label>Filter <input type="search" name="filter" value="${filter}" autocomplete="off" spellcheck="false"></label>
<noscript><button>Show</button></noscript></form><div id="project-list" class="part"><p class="aside" role="status">${wanted === "" ? "" : `${found.length} of `}${count(every.length, "project")}${restricted === 0 ? null : html`, ${restricted} restricted by their own merges`}; restricted first, then those that merged last</p>
${rows.length === 0 ? null : table(rows)}${
  rows.length === found.length
    ? null
    : html`<p class="aside">${found.length - rows.length} more: filter by name, or <a href="?${new URLSearchParams({ filter, all: "" }).toString()}#projects">show all</a>.</p>`
}</div></div></section>`;
}

function table(rows: readonly Project[]): Html {
  const readings = rows[0]?.[1] ?? [];
  const gated = readings.filter(({ effective }) => effective !== null);
  return html`<table><caption class="unseen">Projects: what a policy must use, and their own readings</caption>
<thead><tr><th scope="col">Project</th>${gated.map(({ gate }) => html`<th scope="col">${gateTitle(gate?.name ?? "")} to use</th>`)}${readings.map(
    ({ metric }) => html`<th scope="col">${TITLES[metric]}</th>`,
  )}</tr></thead>
<tbody>${rows.map(row)}</tbody></table>`;
}

function row([project, readings]: Project): Html {
  const address = `project?${new URLSearchParams({ name: project }).toString()}`;
  return html`<tr><th scope="row"><a class="name" href="${address}">${safe(project)}</a></th>${readings.map(follows)}${readings.map(reading)}</tr>`;
}

function reading({ metric, value, n, window, gate }: SnapshotMetric): Html {
  return html`<td data-metric="${metric}" data-label="${TITLES[metric]}">${valueHtml(metric, value, gate)} <span class="aside">n=${n}/${window}</span></td>`;
}

function follows({ metric, effective, gate }: SnapshotMetric): Html | null {
  if (effective === null) return null;
  const whose = effective.scope === "global" ? "global " : effective.scope === "project" ? "own " : "";
  return html`<td class="follows" data-label="${gateTitle(gate?.name ?? "")}">${stateHtml(metric, effective.state)} <span class="aside">${whose}${valueHtml(metric, effective.value, gate)}</span></td>`;
}
