/** Each recorded metric over the last merges; drawn twice, so that it can be read on a phone as well. */
import { historySvg } from "../../chart/svg.ts";
import { CATALOGUE } from "../../core/catalogue.ts";
import type { RecentHistory } from "../../core/recent.ts";
import { isRatio, TITLES } from "./figures.ts";
import { Html, html } from "./html.ts";

const SIZES = { wide: { width: 440, height: 220 }, narrow: { width: 330, height: 210 } };

export function charts({ series }: RecentHistory): Html {
  return html`<section id="charts" aria-labelledby="charts-title"><h2 id="charts-title">Over the last merges</h2>
<div class="charts">${series.map(chart)}</div></section>`;
}

function chart({ metric, gate, points }: RecentHistory["series"][number]): Html {
  const title = TITLES[metric];
  const last = points.at(-1);
  if (points.every(({ value }) => value === null)) {
    const sofar =
      last === undefined ? "no merge is recorded yet" : `${last.n} of ${last.window} merges so far`;
    return html`<article class="card chart"><h3>${title}</h3><p class="undefined">Undefined: ${sofar}.</p></article>`;
  }
  const drawing = (size: keyof typeof SIZES): Html =>
    new Html(
      historySvg(points, {
        title: `${title} over the last merges`,
        ratio: isRatio(metric),
        bounds: gate,
        id: `${metric.replaceAll("_", "-")}-${size}`,
        ...SIZES[size],
      }),
    );
  return html`<article class="card chart ${CATALOGUE[metric].permissive === "low" ? "opens-low" : ""}"><h3>${title}</h3>
<div class="wide">${drawing("wide")}</div><div class="narrow">${drawing("narrow")}</div></article>`;
}
