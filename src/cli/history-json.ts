/** A history as JSON in pieces: the text of a hundred thousand points would take several times their own memory. */
import type { History } from "../core/history.ts";
import { safeJson } from "../text/safe.ts";

/** Characters of a piece, about. */
const PIECE = 200_000;

/** What `jsonText(history, 2)` gives, piece by piece. */
export function* historyJson({ series, ...rest }: History): Generator<string> {
  yield* list({ ...rest, series: [] }, series, "", function* ({ points, ...one }) {
    yield* list({ ...one, points: [] }, points, "    ", function* (point) {
      yield indented(point, "        ");
    });
  });
  yield "\n";
}

/** An object whose last member is a list, which is given as an empty one. */
function* list<T>(
  object: object,
  items: readonly T[],
  indent: string,
  textOf: (item: T) => Iterable<string>,
): Generator<string> {
  const empty = indented(object, indent);
  if (items.length === 0) {
    yield empty;
    return;
  }
  const end = empty.lastIndexOf("]");
  yield `${empty.slice(0, end)}\n`;
  let piece = "";
  for (const [index, item] of items.entries()) {
    for (const text of textOf(item)) {
      piece += text;
      if (piece.length < PIECE) continue;
      yield piece;
      piece = "";
    }
    piece += index + 1 < items.length ? ",\n" : `\n${indent}  `;
  }
  yield piece;
  yield empty.slice(end);
}

function indented(value: object, indent: string): string {
  return indent + safeJson(JSON.stringify(value, null, 2)).replaceAll("\n", `\n${indent}`);
}
