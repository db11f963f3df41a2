/** A value between its bounds, to scale: a bar of three parts, in which the gate falls, stays and rises. */
import type { MetricName } from "../../core/metric.ts";
import type { SnapshotGate } from "../../core/snapshot.ts";
import { boundText, percent } from "../../text/figures.ts";
import { meaningOfState } from "./figures.ts";
import { type Html, html } from "./html.ts";

/** In the drawing's own units. */
const WIDTH = 420;
const TRACK = { top: 20, height: 10 };
const HEIGHT = 48;

export function boundsBar(metric: MetricName, value: number | null, gate: SnapshotGate): Html {
  const { upper, lower } = gate;
  const most = Math.min(1, Math.max(2 * upper, (value ?? 0) * 1.05));
  const x = (ratio: number): number => Math.round((ratio / most) * WIDTH * 10) / 10;
  const bounds = `falls below ${boundText(lower)}, rises at ${boundText(upper)}`;
  const says = value === null ? bounds : `${percent(value, gate)}: ${bounds}`;
  const stretch = (from: number, to: number, kind: string): Html =>
    html`<rect class="${kind}" x="${from}" y="${TRACK.top}" width="${Math.max(0, to - from)}" height="${TRACK.height}"/>`;
  const apart = x(upper) - x(lower);
  // If the labels would overlap, each is drawn on its own side.
  const [left, right] = apart < 110 ? ["end", "start"] : ["middle", "middle"];
  return html`<svg class="bar" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${says}">
${stretch(0, x(lower), meaningOfState(metric, "low"))}${stretch(x(lower), x(upper), "between")}${stretch(x(upper), WIDTH, meaningOfState(metric, "high"))}
<text x="${x(lower)}" y="45" text-anchor="${anchor(x(lower), left)}">down &lt; ${boundText(lower)}</text>
<text x="${x(upper)}" y="45" text-anchor="${anchor(x(upper), right)}">up ≥ ${boundText(upper)}</text>
${
  value === null
    ? null
    : html`<path class="needle" d="M${x(value)},${TRACK.top + TRACK.height + 2}V${TRACK.top - 3}l-5,-7h10l-5,7"/><text class="now" x="${x(value) + (x(value) > WIDTH - 70 ? -9 : 9)}" y="14" text-anchor="${x(value) > WIDTH - 70 ? "end" : "start"}">${percent(value, gate)}</text>`
}</svg>`;
}

/** A label near an end of the bar stays within it. */
function anchor(at: number, otherwise: string): string {
  if (at > WIDTH - 45) return "end";
  return at < 45 ? "start" : otherwise;
}
