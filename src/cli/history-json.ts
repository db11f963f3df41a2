/** A history as JSON in pieces: the text of a hundred thousand points would take several times their own memory. */
import type { History } from "../core/history.ts";
import { safeJson } from "../text/safe.ts";

const POINTS_AT_ONCE = 500;

/** What `jsonText(history, 2)` gives, piece by piece. */
export function* historyJson({ series, ...rest }: History): Generator<string> {
  const [head, tail] = around({ ...rest, series: [] }, "", series.length);
  yield head;
  for (const [nth, { points, ...one }] of series.entries()) {
    const [begin, end] = around({ ...one, points: [] }, "    ", points.length);
    yield nth === 0 ? begin : `,\n${begin}`;
    for (let start = 0; start < points.length; start += POINTS_AT_ONCE) {
      const list = indented(points.slice(start, start + POINTS_AT_ONCE), "      ");
      const withoutBrackets = list.slice(list.indexOf("\n") + 1, list.lastIndexOf("\n"));
      yield start === 0 ? withoutBrackets : `,\n${withoutBrackets}`;
    }
    yield end;
  }
  yield `${tail}\n`;
}

/** An object's text before and after the items of its last member, which is given as an empty list. */
function around(object: object, indent: string, items: number): [before: string, after: string] {
  const text = indented(object, indent);
  const end = text.lastIndexOf("]");
  const [before, after] = [text.slice(0, end), text.slice(end)];
  return items === 0 ? [before, after] : [`${before}\n`, `\n${indent}  ${after}`];
}

function indented(value: object, indent: string): string {
  return indent + safeJson(JSON.stringify(value, null, 2)).replaceAll("\n", `\n${indent}`);
}
