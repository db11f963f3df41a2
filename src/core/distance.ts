/** How far a gate is from its bounds: the smallest number of further merges, and of what kind, that could move it. */
import type { Gate } from "./gate.ts";

export type Reach = {
  /** Further merges that it takes at least. */
  readonly merges: number;
  /** How many of these must count (towards the upper bound) or must not count (towards the lower one). */
  readonly of_kind: number;
};

/**
 * What it takes to reach a bound: `value >= upper`, or `value < lower`, after some further merge.
 * @param counted whether each merge of the window counts, oldest first; at most `window` of them.
 * @returns null where no number of merges will do: nothing is below a lower bound of 0.
 */
export function reach(
  counted: readonly boolean[],
  window: number,
  bound: "upper" | "lower",
  gate: Pick<Gate, "upper" | "lower">,
): Reach | null {
  let staying = counted.filter(Boolean).length;
  // After `window` merges nothing is left of what is there now.
  for (let merges = 1; merges <= window; merges += 1) {
    const leaving = counted.length + merges - window;
    if (leaving > 0 && counted[leaving - 1] === true) staying -= 1;
    if (leaving < 0) continue;
    const ofKind = smallestOf(merges, (number) =>
      bound === "upper"
        ? (staying + number) / window >= gate.upper
        : (staying + merges - number) / window < gate.lower,
    );
    if (ofKind !== null) return { merges, of_kind: ofKind };
  }
  return null;
}

/** The smallest number from 0 to `most` that will do, of numbers of which all larger ones will do as well. */
function smallestOf(most: number, will: (number: number) => boolean): number | null {
  if (!will(most)) return null;
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (will(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
