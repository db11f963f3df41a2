/** One metric of one scope as a drawing that fits its place on the page. */
import { historySvg } from "../../chart/svg.ts";
import { CATALOGUE, isRatio } from "../../core/catalogue.ts";
import type { HistorySeries } from "../../core/history.ts";
import { Html } from "./html.ts";

/** In CSS pixels. The narrow one can be read on a phone, where the wide one would be shrunk. */
const SIZES = { wide: { width: 400, height: 210 }, narrow: { width: 300, height: 195 } };

/**
 * @param title says what is drawn; read out first.
 * @param id distinguishes it from the other drawings of the page: letters, digits, hyphens.
 */
export function drawing(
  { metric, gate, points }: HistorySeries,
  { size, title, id }: { readonly size: keyof typeof SIZES; readonly title: string; readonly id: string },
): Html {
  const { permissive } = CATALOGUE[metric];
  return new Html(
    historySvg(points, {
      title,
      ratio: isRatio(metric),
      bounds: gate,
      permissive,
      id,
      ...SIZES[size],
    }),
  );
}

/** Whether there is anything to draw. */
export function isDrawn({ points }: HistorySeries): boolean {
  return points.some(({ value }) => value !== null);
}
