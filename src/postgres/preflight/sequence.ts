/**
 * The sequence of the outbox's id. Locks on it show what is settled (`poll.ts`), and "after the last applied row" is a
 * comparison of the ids that it gives. So there must be one sequence, and it must ascend.
 */
import type { Outbox } from "../names.ts";
import type { Watched } from "../poll.ts";
import type { Findings, Server } from "./server.ts";

/** The oids of the sequences that `id` draws from: owned by it (serial, identity) or named in its default. */
const sequencesOf = (outbox: string): string => `
  SELECT d.objid FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
   WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ${outbox}
     AND a.attname = 'id' AND d.deptype IN ('a', 'i')
     AND (SELECT relkind FROM pg_class WHERE oid = d.objid) = 'S'
  UNION
  SELECT d.refobjid FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
   WHERE f.adrelid = ${outbox} AND a.attname = 'id'
     AND (SELECT relkind FROM pg_class WHERE oid = d.refobjid) = 'S'`;

export type Sequence = {
  readonly watched: Watched;
  readonly sequenceName: string;
  /** Ids that a session may reserve at once. */
  readonly sequenceCache: number;
  /** The smallest id that it gives. */
  readonly leastId: bigint;
};

/** Checks that the outbox's id draws from one sequence, which ascends and which our role may use. */
export async function inspectSequence(
  { query, written: schema, outbox }: Outbox,
  { quotedRole: role, started }: Pick<Server, "quotedRole" | "started">,
  { problems, warnings }: Findings,
): Promise<Sequence> {
  const relation = `'${outbox}'::regclass`;
  const { rows } = await query(
    `SELECT a.attrelid::text AS outbox, s.seqrelid::text AS oid, s.seqrelid::regclass::text AS name, s.seqcache::text AS cache, s.seqmin::text AS least,
            (s.seqincrement >= 1 AND NOT s.seqcycle)::text AS ascends,
            (has_sequence_privilege(s.seqrelid, 'USAGE') OR a.attidentity <> '')::text AS usable,
            has_sequence_privilege(s.seqrelid, 'SELECT')::text AS readable
       FROM pg_sequence s, pg_attribute a
      WHERE a.attrelid = ${relation} AND a.attname = 'id' AND s.seqrelid IN (${sequencesOf(relation)})`,
  );
  const id = `${schema}.events_outbox.id`;
  if (rows.length === 0)
    problems.push(
      `${id} draws from no sequence, so nothing shows which rows are still to come: make it serial or identity, ` +
        "starting above the largest id",
    );
  if (rows.length > 1)
    problems.push(
      `${id} draws from ${rows.length} sequences, but must draw from exactly one: drop, or set OWNED BY NONE, all but one of ` +
        rows.map((row) => row["name"]).join(", "),
    );
  for (const { name, cache, ascends, usable, readable } of rows) {
    if (usable !== "true")
      problems.push(`no USAGE on sequence ${name}: GRANT USAGE ON SEQUENCE ${name} TO ${role}`);
    if (ascends !== "true")
      problems.push(`sequence ${name} does not only ascend: ALTER SEQUENCE ${name} INCREMENT BY 1 NO CYCLE`);
    if (readable !== "true")
      warnings.push(
        `no SELECT on sequence ${name}: each search for peer writes reads all rows since the newest row of ours; ` +
          `GRANT SELECT ON SEQUENCE ${name} TO ${role} (see config/grants.sql)`,
      );
    if (Number(cache) > 1)
      warnings.push(
        `sequence ${name} has CACHE ${cache}: only the reconciliation of the whole log finds merges that commit out of order; ` +
          `ALTER SEQUENCE ${name} CACHE 1 makes them visible at once`,
      );
  }
  const [first] = rows;
  return {
    watched: {
      outbox: first?.["outbox"] ?? "0",
      sequences: rows.map((row) => row["oid"] ?? "0"),
      counter: first?.["readable"] === "true" ? (first["name"] ?? null) : null,
      server: started,
    },
    sequenceName: first?.["name"] ?? "",
    sequenceCache: Math.max(1, ...rows.map((row) => Number(row["cache"]))),
    leastId: BigInt(first?.["least"] ?? 1),
  };
}
