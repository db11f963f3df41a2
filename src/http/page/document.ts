/**
 * The status page, rendered from the documents that /snapshot.json and /history.json serve. It is one file: the content
 * security policy names its style and its script by their hashes, and nothing else may load or run.
 */
import { createHash } from "node:crypto";
import type { Snapshot } from "../../core/snapshot.ts";
import type { RecentHistory } from "../../core/status-history.ts";
import type { ReadinessReport } from "../../events/readiness.ts";
import { SERVICE, VERSION } from "../../version.ts";
import { charts } from "./charts.ts";
import { crossings } from "./crossings.ts";
import { Html, html } from "./html.ts";
import { merges } from "./merges.ts";
import { projects } from "./projects.ts";
import { REFRESH_SECONDS, REFRESHER } from "./script.ts";
import { daemonState } from "./state.ts";
import { STYLE } from "./style.ts";
import { tiles } from "./tiles.ts";

export type PageData = {
  readonly readiness: ReadinessReport;
  /** Null while memory cannot be trusted. */
  readonly snapshot: Snapshot | null;
  readonly history: RecentHistory | null;
};

/** What the browser may do with the page. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(REFRESHER)}`,
  "connect-src 'self'",
  // An empty icon, so that no browser asks for one.
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const DOCUMENTS = ["/snapshot.json", "/history.json", "/metrics", "/readyz", "/schemas/"];

export function page({ readiness, snapshot, history }: PageData): string {
  const sections =
    snapshot === null || history === null
      ? []
      : [tiles(snapshot), charts(history), merges(history), crossings(history), projects(snapshot)];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${titleOf(readiness, snapshot)}</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLE)}</style>
<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS * 3}"></noscript>
</head>
<body>
<header><h1>Damascus metrics</h1></header>
<p id="unreachable" role="alert" hidden></p>
<main>${daemonState(readiness, snapshot)}
${sections}</main>
<footer>${DOCUMENTS.map((path) => html`<a href="${path}">${path}</a> `)}${SERVICE} ${VERSION}, refreshed every ${REFRESH_SECONDS} seconds</footer>
<script>${new Html(REFRESHER)}</script>
</body>
</html>
`.text;
}

/** The gates at a glance, for a tab among many. */
function titleOf({ ready }: ReadinessReport, snapshot: Snapshot | null): string {
  const gates = (snapshot?.metrics ?? []).flatMap(({ project, gate }) =>
    project === null && gate !== null ? [`${gate.name} ${gate.state}`] : [],
  );
  return [...(ready ? [] : ["NOT RECORDING"]), ...gates, "Damascus metrics"].join(" · ");
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
