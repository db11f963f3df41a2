/** Ids of journal rows must ascend with `seq`: the fence relies on it, so every append is checked. */
import { type Appended, type Place, UnfitDatabase } from "./outbox-log.ts";

/** What an append is checked against. */
export type Expected = {
  /** How many rows were sent. */
  readonly rows: number;
  /** The newest row of ours before it. */
  readonly after: bigint;
  readonly place: Place;
};

/** @returns the id of the last row that was appended. @throws UnfitDatabase */
export function lastAppended({ ids }: Appended, { rows, after, place }: Expected): bigint {
  if (ids.length !== rows)
    throw new UnfitDatabase("append_changed", [
      `events_outbox took ${ids.length} of ${rows} rows without an error: a trigger or a rule on it drops or moves them; ` +
        "let rows of kind metric.* pass",
    ]);
  let before = after;
  for (const id of ids) {
    if (id <= before) throw sequenceWentBack(place, [id], before);
    before = id;
  }
  return before;
}

/**
 * The sequence gives ids that are not above those of our rows, or that rows have already.
 * @param ids that it gave. @param before the id that they must exceed, where it is known.
 */
export function sequenceWentBack(
  { table, sequence }: Place,
  ids: readonly bigint[],
  before: bigint | null,
): UnfitDatabase {
  const gave = ids[0] === undefined ? "an id that a row has already" : `${ids[0]}`;
  const above = before === null ? "" : `, and our newest row has ${before}`;
  return new UnfitDatabase("sequence_went_back", [
    `sequence ${sequence} is behind ${table}: it gave ${gave}${above}; set it to the largest id in the table: ` +
      `SELECT setval('${sequence}', (SELECT max(id) FROM ${table}))`,
  ]);
}
