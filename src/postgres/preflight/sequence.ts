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
  { written: schema, outbox }: Names,
  role: string,
): Promise<
  Findings & {
    readonly watched: Omit<Watched, "server">;
    readonly name: string;
    readonly cache: number;
    readonly leastId: bigint;
  }
> {
  const { rows } = await query(
    `SELECT a.attrelid::text AS outbox, s.seqrelid::text AS oid, s.seqrelid::regclass::text AS name, s.seqcache::text AS cache, s.seqmin::text AS least, s.seqincrement::text AS increment,
            s.seqcycle::text AS cycle,
            (has_sequence_privilege(s.seqrelid, 'USAGE') OR a.attidentity <> '')::text AS usable,
            has_sequence_privilege(s.seqrelid, 'SELECT')::text AS readable
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
    if (row["readable"] !== "true")
      warnings.push(
        `no SELECT on sequence ${name}: each look for what other daemons recorded reads all rows since the newest of ours; ` +
          `GRANT SELECT ON SEQUENCE ${name} TO ${role} (see config/grants.sql)`,
      );
    if (Number(row["cache"]) > 1)
      warnings.push(
        `sequence ${name} has CACHE ${row["cache"]}: merges that commit out of order are found only by the comparison of the whole ` +
          `log; ALTER SEQUENCE ${name} CACHE 1 makes them visible at once`,
      );
  }
  const watched = {
    outbox: rows[0]?.["outbox"] ?? "0",
    sequences: rows.map((row) => row["oid"] ?? "0"),
    counter: rows[0]?.["readable"] === "true" ? (rows[0]["name"] ?? null) : null,
  };
  const name = rows[0]?.["name"] ?? "";
  return { problems, warnings, watched, name, cache, leastId: BigInt(rows[0]?.["least"] ?? 1) };
}
