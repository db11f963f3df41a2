/**
 * The chaos run's teeth: mistakes that the protocol was made to rule out, each as a change of one place in a copy of the
 * tree. Where the code has moved on, the change no longer fits and says so.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

type Change = { readonly file: string; readonly find: string; readonly put: string };
export type Mutant = { readonly mistake: string; readonly changes: readonly Change[] };

const LOCK = "; SELECT pg_advisory_xact_lock(${literal(lockKey(names))})";

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  "repeatable-read": {
    mistake: "the writers' transaction is REPEATABLE READ",
    changes: [
      {
        file: "src/postgres/metric-writer.ts",
        find: "READ COMMITTED READ WRITE",
        put: "REPEATABLE READ READ WRITE",
      },
    ],
  },
  "no-lock": {
    mistake: "the writers' transaction takes no lock",
    changes: [{ file: "src/postgres/metric-writer.ts", find: LOCK, put: "" }],
  },
  "no-fence": {
    mistake: "what others recorded meanwhile is not looked at under the lock",
    changes: [
      {
        file: "src/recorder.ts",
        find: "const standsOnNothing = this.#head === null;\n    this.#foldSince(await this.#since());",
        put: "const standsOnNothing = this.#head === null;",
      },
    ],
  },
  "last-id": {
    mistake: "everything up to the newest id is taken for settled",
    changes: [
      {
        file: "src/postgres/settled.ts",
        find: 'holders: new Set(row?.["holders"]?.split(" "))',
        put: "holders: new Set()",
      },
    ],
  },
  "table-lock-only": {
    mistake: "who has drawn an id and not used it yet is not waited for",
    changes: [
      {
        file: "src/postgres/settled.ts",
        find: "UNION ALL ${SEQUENCES_OF_ID.replaceAll(\"$OUTBOX\", `'${outbox}'::regclass`)}",
        put: "",
      },
    ],
  },
  "one-statement": {
    mistake: "the lock is taken by the statement that reads what others recorded",
    changes: [
      { file: "src/postgres/metric-writer.ts", find: LOCK, put: "" },
      {
        file: "src/postgres/journal.ts",
        find: "     UNION ALL\n",
        put:
          "     UNION ALL\n" +
          "     SELECT 'lock', 0, (pg_advisory_xact_lock(20261122) IS NULL)::text, NULL, NULL\n" +
          "     UNION ALL\n",
      },
    ],
  },
  "trusts-commit": {
    mistake: "a COMMIT without an answer is taken for done",
    changes: [
      {
        file: "src/recorder.ts",
        find: "      throw error;\n    }\n    plan.adopt();",
        put: "    }\n    plan.adopt();",
      },
    ],
  },
  "keeps-memory": {
    mistake: "memory survives the connection that it was read by",
    changes: [
      { file: "src/daemon.ts", find: "    this.#recorder = null;\n    this.#comparing = null;", put: "" },
      {
        file: "src/daemon.ts",
        find: "if (this.#stop.aborted) break;",
        put: "if (this.#stop.aborted) break;\n        if (!(error instanceof DatabaseFailure)) this.#recorder = null;",
      },
      {
        file: "src/daemon.ts",
        find: "const recorder = this.#recorder ?? (await this.#open());",
        put: `let recorder = this.#recorder;
    if (recorder !== null && this.#log === null) {
      this.#log = await this.#ports.open(this.#stop);
      recorder.moveTo(this.#log);
    }
    recorder ??= await this.#open();`,
      },
      { file: "src/recorder.ts", find: "  readonly #log: OutboxLog;", put: "  #log: OutboxLog;" },
      {
        file: "src/recorder.ts",
        find: "  /** What became of a merge",
        put: "  moveTo(log: OutboxLog): void {\n    this.#log = log;\n  }\n\n  /** What became of a merge",
      },
    ],
  },
};

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A copy of the tree with the mistake in it. Disposing of it removes the copy. */
export function plant({ changes }: Mutant): Disposable & { readonly entry: string } {
  const tree = mkdtempSync(join(tmpdir(), "damascus-mutant-"));
  const remove = (): void => rmSync(tree, { recursive: true, force: true });
  try {
    for (const name of ["src", "config", "package.json"])
      cpSync(join(ROOT, name), join(tree, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
    for (const { file, find, put } of changes) {
      const text = readFileSync(join(tree, file), "utf8");
      if (text.split(find).length !== 2) throw new Error(`the mutant does not fit ${file} any more: ${find}`);
      writeFileSync(
        join(tree, file),
        text.replace(find, () => put),
      );
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { entry: join(tree, "src/main.ts"), [Symbol.dispose]: remove };
}
