/**
 * The chaos run's teeth: mistakes that the protocol was made to rule out, each as a change of one place in a copy of the
 * tree. Where the code has moved on, the change no longer fits and says so.
 */
import type { Patch } from "../tests/support/mutant.ts";

export type Mutant = { readonly mistake: string; readonly patches: readonly Patch[] };

/** What holds a connection can be given another one. */
export const MOVABLE: readonly Patch[] = [
  { file: "restore/due-merges.ts", replace: "  readonly #log: JournalReader;", by: "  log: JournalReader;" },
  { file: "restore/due-merges.ts", replace: /this\.#log/g, by: "this.log" },
  {
    file: "recorder/recorder.ts",
    replace: "  return {\n    session,\n    projection,",
    by: `  return {
    session,
    moveTo(log: OutboxLog): unknown {
      for (const part of [session, dueMerges] as { log: unknown }[]) part.log = log;
      return this;
    },
    projection,`,
  },
];

const LOCK = "    `SELECT pg_advisory_xact_lock(${literal(lockKey(names))})`,\n";

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  "repeatable-read": {
    mistake: "the writers' transaction is REPEATABLE READ",
    patches: [
      {
        file: "postgres/metric-writer.ts",
        replace: "READ COMMITTED READ WRITE",
        by: "REPEATABLE READ READ WRITE",
      },
    ],
  },
  "no-lock": {
    mistake: "the writers' transaction takes no lock",
    patches: [{ file: "postgres/metric-writer.ts", replace: LOCK, by: "" }],
  },
  "no-fence": {
    mistake: "what others recorded meanwhile is not looked at under the lock",
    patches: [
      {
        file: "recorder/writer.ts",
        replace: "await fence.begin();",
        by: "await log.beginLocked();",
      },
    ],
  },
  "last-id": {
    mistake: "everything up to the newest id is taken for settled",
    patches: [
      {
        file: "postgres/poll.ts",
        replace: 'holders: new Set(row["holders"]?.split(" "))',
        by: "holders: new Set()",
      },
    ],
  },
  "table-lock-only": {
    mistake: "who has drawn an id and not used it yet is not waited for",
    patches: [
      {
        file: "postgres/poll.ts",
        replace: ", ...watched.sequences",
        by: "",
      },
    ],
  },
  "one-statement": {
    mistake: "the lock is taken by the statement that reads what others recorded",
    patches: [
      { file: "postgres/metric-writer.ts", replace: LOCK, by: "" },
      {
        file: "postgres/journal.ts",
        replace: "     UNION ALL\n",
        by:
          "     UNION ALL\n" +
          "     SELECT 'lock', 0, (pg_advisory_xact_lock(20261122) IS NULL)::text, NULL, NULL\n" +
          "     UNION ALL\n",
      },
    ],
  },
  "trusts-commit": {
    mistake: "a COMMIT without an answer is taken for done",
    patches: [
      {
        file: "recorder/writer.ts",
        replace: "      throw error;\n    }\n    if (fingerprint",
        by: '      fingerprint = "unknown";\n    }\n    if (fingerprint',
      },
    ],
  },
  "keeps-memory": {
    mistake: "memory survives the connection that it was read by",
    patches: [
      {
        file: "recorder/daemon.ts",
        replace: "    this.#past.remember(error, this.#recorder);",
        by: `    this.#past.remember(error, this.#recorder);
    const isOutage = error instanceof Error && "failure" in error;
    (this as any).kept = isOutage ? (this.#recorder ?? (this as any).kept) : null;`,
      },
      {
        file: "recorder/daemon.ts",
        replace:
          "const recorder = await restoreRecorder(log, this.#settings, ports, this.#past.contradicted);",
        by: "const recorder = (this as any).kept?.moveTo(log) ?? (await restoreRecorder(log, this.#settings, ports));",
      },
      ...MOVABLE,
    ],
  },
};
