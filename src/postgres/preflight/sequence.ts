/**
 * The sequence of the outbox's id. What is settled is seen by who holds a lock on it (`settled.ts`), and "after the newest
 * row" is a comparison of the ids that it gives: so there must be one, and it must ascend.
 */
import type { Query } from "../connection.ts";
import type { Names } from "../names.ts";
import { SEQUENCES_OF_ID, type Watched } from "../settled.ts";
import type { Findings } from "./findings.ts";

/** @param role whom to grant, as a statement names it. */
export async function inspectSequence(
  query: Query,
  { schema, outbox }: Names,
  role: string,
): Promise<Findings & { readonly watched: Omit<Watched, "server">; readonly cache: number }> {
  const { rows } = await query(
    `SELECT a.attrelid::text AS outbox, s.seqrelid::text AS oid, s.seqrelid::regclass::text AS name, s.seqcache::text AS cache, s.seqincrement::text AS increment,
            s.seqcycle::text AS cycle, s.seqmin::text AS least,
            (has_sequence_privilege(s.seqrelid, 'USAGE') OR a.attidentity <> '')::text AS usable
       FROM pg_sequence s, pg_attribute a
      WHERE a.attrelid = '${outbox}'::regclass AND a.attname = 'id'
        AND s.seqrelid IN (${SEQUENCES_OF_ID.replaceAll("$OUTBOX", `'${outbox}'::regclass`)})`,
  );
  const problems: string[] = [];
  const warnings: string[] = [];
  const id = `${schema}.events_outbox.id`;
  if (rows.length === 0)
    problems.push(
      `${id} draws from no sequence, and without one nothing tells which rows are still to come: make it serial or identity, ` +
        "beginning above the largest id",
    );
  if (rows.length > 1)
    problems.push(
      `${id} draws from ${rows.length} sequences, exactly one is needed: drop, or set OWNED BY NONE, all but one of ` +
        rows.map((row) => row["name"]).join(", "),
    );
  let cache = 1;
  for (const row of rows) {
    const name = row["name"] ?? "";
    cache = Math.max(cache, Number(row["cache"]));
    if (row["usable"] !== "true")
      problems.push(`no USAGE on sequence ${name}: GRANT USAGE ON SEQUENCE ${name} TO ${role}`);
    if (Number(row["increment"]) < 1 || row["cycle"] === "true")
      problems.push(`sequence ${name} does not only ascend: ALTER SEQUENCE ${name} INCREMENT BY 1 NO CYCLE`);
    if (Number(row["least"]) < 1)
      warnings.push(
        `sequence ${name} may give ids below 1, and a merge under such an id is never seen: ALTER SEQUENCE ${name} MINVALUE 1 ` +
          "(with RESTART 1, if it has not come that far)",
      );
    if (Number(row["cache"]) > 1)
      warnings.push(
        `sequence ${name} has CACHE ${row["cache"]}: merges that commit out of order are found only by the comparison of the whole ` +
          `log; ALTER SEQUENCE ${name} CACHE 1 makes them visible at once`,
      );
  }
  const watched = { outbox: rows[0]?.["outbox"] ?? "0", sequences: rows.map((row) => row["oid"] ?? "0") };
  return { problems, warnings, watched, cache };
}
