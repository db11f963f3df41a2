/**
 * The status page, rendered from what is in memory. It is one file: the content security policy names its style and its
 * script by their hashes, and nothing else may load or run. All links are relative, so that it works behind a proxy that
 * serves it under a path.
 */
import { createHash } from "node:crypto";
import type { Explanation } from "../../core/explanation.ts";
import type { Snapshot } from "../../core/snapshot.ts";
import { safe } from "../../text/safe.ts";
import { SERVICE, VERSION } from "../../version.ts";
import { inTurn } from "../kept-answer.ts";
import type { Shown } from "../memory.ts";
import { cards } from "./cards.ts";
import { drawing, projectCharts } from "./charts.ts";
import { crossings } from "./crossings.ts";
import { Html, html } from "./html.ts";
import { icon } from "./icon.ts";
import { merges } from "./merges.ts";
import { project } from "./project.ts";
import { projects, type View } from "./projects.ts";
import { REFRESH_SECONDS, SCRIPT } from "./script.ts";
import { type Condition, daemonState } from "./state.ts";
import { STYLE } from "./style.ts";

export type PageData = Condition & {
  /** The last known values; null before the first restore. */
  readonly shown: Shown | null;
  readonly view: View;
  /** The rows that count as merges. */
  readonly merge: { readonly kind: string; readonly target: string };
};

/** What the browser may do with the page. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  // The filter works without scripts.
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const DOCUMENTS = ["snapshot.json", "history.json", "metrics", "readyz", "schemas/"];

/** Rendered in slices; merges are recorded in between. */
export async function page(data: PageData): Promise<string> {
  const { shown, current, readiness } = data;
  // Draws each chart in a slice of its own. The parts below reuse the drawings.
  await inTurn((shown?.history.series ?? []).map((series) => () => drawing(series)));
  const values = await inTurn(shown === null ? [] : valuesOf(shown, data));
  const body = html`${daemonState(data, shown?.snapshot ?? null)}
<div id="values"${current ? null : html` class="outdated"`}>${values}</div>`;
  return document(titleOf(data), icon(readiness.ready, shown?.snapshot ?? null), body);
}

function valuesOf(shown: Shown, { view, merge, current }: PageData): readonly (() => Html)[] {
  const { snapshot, history } = shown;
  if (snapshot.as_of.seq === 0 && snapshot.projects.length === 0)
    return current ? [() => waiting(merge)] : [];
  return [
    () => cards(shown),
    () => projects(snapshot, view),
    () => projectCharts(history),
    () => merges(history),
    () => crossings(history),
  ];
}

function waiting({ kind, target }: PageData["merge"]): Html {
  return html`<section id="waiting" class="part card" aria-labelledby="waiting-title"><h2 id="waiting-title">Waiting for the first merge</h2>
<p>The daemon follows <code>events_outbox</code> and records the first row of kind <code>${safe(kind)}</code> whose target is <code>${safe(target)}</code>. Metrics, charts and projects appear then.</p></section>`;
}

/** A page about one project; its row links to it. */
export function projectPage(name: string, explanations: readonly Explanation[] | null): string {
  const body = html`<p><a href="./">All projects</a></p>
<h2 class="name">${safe(name)}</h2>
${explanations === null ? html`<p>This project has not merged anything, or the daemon has not read the journal yet.</p>` : html`<div class="card">${project(name, explanations)}</div>`}`;
  return document(`${safe(name)} · Damascus metrics`, icon(true, null), body);
}

function document(title: string, iconAddress: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="${iconAddress}">
<style>${new Html(STYLE)}</style>
<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS * 3}"></noscript>
</head>
<body>
<header><h1>Damascus metrics</h1></header>
<p id="unreachable" role="alert" hidden></p>
<main>${body}</main>
<footer>${DOCUMENTS.map((path) => html`<a href="${path}">${path}</a> `)}${SERVICE} ${VERSION}, refreshed every ${REFRESH_SECONDS} seconds</footer>
<script>${new Html(SCRIPT)}</script>
</body>
</html>
`.text;
}

/** The gates at a glance, for a tab among many. */
function titleOf({ readiness, shown, current }: PageData): string {
  return [
    ...(readiness.ready ? [] : ["NOT RECORDING"]),
    ...(current ? gates(shown?.snapshot) : []),
    "Damascus metrics",
  ].join(" · ");
}

function gates(snapshot: Snapshot | undefined): string[] {
  return (snapshot?.metrics ?? []).flatMap(({ project: name, gate }) =>
    name === null && gate !== null ? [`${gate.name} ${gate.state}`] : [],
  );
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
