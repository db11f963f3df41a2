/**
 * The chaos run's teeth: mistakes that the protocol was made to rule out, each as a change of one place in a copy of the
 * tree. Where the code has moved on, the change no longer fits and says so.
 */
import type { Patch } from "../tests/support/mutant.ts";

export type Mutant = { readonly mistake: string; readonly patches: readonly Patch[] };

/** What holds a connection can be given another one. */
export const MOVABLE: readonly Patch[] = [
  ...[
    ["recorder/projection.ts", "OutboxLog"],
    ["recorder/reconciliation.ts", "OutboxLog"],
    ["recorder/checkpoint-writer.ts", "OutboxLog"],
    ["recorder/doubts.ts", "OutboxLog"],
    ["restore/due-merges.ts", "JournalReader"],
  ].flatMap(([file = "", type]) => [
    { file, replace: `  readonly #log: ${type};`, by: `  log: ${type};` },
    { file, replace: /this\.#log/g, by: "this.log" },
  ]),
  {
    file: "recorder/recorder.ts",
    replace: "  readonly #log: OutboxLog;",
    by: `  #log: OutboxLog;
  moveTo(log: OutboxLog): this {
    for (const part of [this.#memory, this.#recorded, this.#comparison, this.#checkpoints, this.#doubts]) part.log = log;
    this.#log = log;
    return this;
  }`,
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
        file: "recorder/recorder.ts",
        replace: "await this.#memory.beginFenced();\n    const fencedMs",
        by: "await this.#log.beginLocked();\n    const fencedMs",
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
        file: "recorder/recorder.ts",
        replace: "      throw error;\n    }\n    if (fingerprint",
        by: '      fingerprint = "unknown";\n    }\n    if (fingerprint',
      },
    ],
  },
  "keeps-memory": {
    mistake: "memory survives the connection that it was read by",
    patches: [
      { file: "daemon.ts", replace: "    this.#recorder = null;\n    this.#comparing = null;", by: "" },
      {
        file: "daemon.ts",
        replace: "if (this.#stop.aborted) break;",
        by: "if (this.#stop.aborted) break;\n        if (!(error instanceof DatabaseFailure)) this.#recorder = null;",
      },
      {
        file: "daemon.ts",
        replace: "const recorder = this.#recorder ?? (await this.#open());",
        by: `let recorder = this.#recorder;
    if (recorder !== null && this.#log === null) {
      this.#log = await this.#ports.open(this.#stop);
      recorder.moveTo(this.#log);
    }
    recorder ??= await this.#open();`,
      },
      ...MOVABLE,
    ],
  },
};
