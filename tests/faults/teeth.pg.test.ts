/**
 * Teeth: each part of the protocol is left out once, and what watches over it must bite. The same scenario finds nothing
 * wrong with the daemon as it is.
 */
import { describe, expect, it } from "vitest";
import { MOVABLE } from "../../chaos/mutants.ts";
import { type Mutant, mutant, type Patch } from "../support/mutant.ts";
import {
  brokenCommit,
  drawnEarly,
  editedFurtherBack,
  lateCommit,
  newestGone,
  peerBetween,
  preparedBetween,
  race,
  type Scenario,
  sharedBacklog,
} from "./scenarios.ts";

const MUTANTS: readonly (readonly [
  mistake: string,
  scenario: Scenario,
  bites: RegExp,
  patches: readonly Patch[],
])[] = [
  [
    "REPEATABLE READ",
    race,
    /recorded again/,
    [
      {
        file: "postgres/metric-writer.ts",
        replace: "ISOLATION LEVEL READ COMMITTED",
        by: "ISOLATION LEVEL REPEATABLE READ",
      },
    ],
  ],
  [
    "no lock",
    race,
    /recorded again/,
    [
      {
        file: "postgres/metric-writer.ts",
        replace: "SELECT pg_advisory_xact_lock(${literal(lockKey(names))})",
        by: "SELECT 1",
      },
    ],
  ],
  [
    "a lock that ends with its statement",
    race,
    /recorded again/,
    [
      {
        file: "postgres/metric-writer.ts",
        replace: "SELECT pg_advisory_xact_lock(${literal(lockKey(names))})",
        by: "SELECT pg_advisory_lock(1), pg_advisory_unlock(1)",
      },
    ],
  ],
  [
    "no fence",
    race,
    /recorded again/,
    [
      {
        file: "recorder/writer.ts",
        replace: "const isProven = projection.lastApplied !== null;\n    await fence.begin();",
        by: "const isProven = true;\n    await log.beginLocked();",
      },
    ],
  ],
  [
    "lock and fence in one statement",
    race,
    /recorded again/,
    [
      {
        file: "postgres/metric-writer.ts",
        replace: "SELECT pg_advisory_xact_lock(${literal(lockKey(names))})",
        by: "SELECT 1",
      },
      {
        file: "postgres/journal.ts",
        replace: "AND ${OURS}\n       ORDER BY e.id LIMIT",
        by: "AND ${OURS} AND (SELECT count(pg_advisory_xact_lock(4711)) FROM (VALUES (1)) AS once) = 1\n       ORDER BY e.id LIMIT",
      },
    ],
  ],
  [
    "the rest of a page not held against what was folded before its last batch",
    sharedBacklog,
    /recorded again/,
    [
      {
        file: "recorder/writer.ts",
        replace: "const isProven =",
        by: "projection.peerWrites.forget();\n    const isProven =",
      },
    ],
  ],
  [
    "id > last instead of the low-water mark",
    lateCommit,
    /not recorded/,
    [{ file: "postgres/poll.ts", replace: 'new Set(row["holders"]?.split(" "))', by: "new Set()" }],
  ],
  [
    "the table's lock alone, without the sequence's",
    drawnEarly,
    /not recorded/,
    [{ file: "postgres/poll.ts", replace: ", ...watched.sequences", by: "" }],
  ],
  [
    "prepared transactions overlooked, as their pid is null",
    preparedBetween,
    /not recorded/,
    [
      {
        file: "postgres/poll.ts",
        replace: "l.pid IS DISTINCT FROM pg_backend_pid()",
        by: "l.pid <> pg_backend_pid()",
      },
    ],
  ],
  [
    "the tag of COMMIT not looked at",
    brokenCommit({ say: "SELECT 'lost' AS fingerprint; ROLLBACK" }),
    /told 2 times/,
    [{ file: "postgres/metric-writer.ts", replace: 'if (command !== "COMMIT")', by: "if (false)" }],
  ],
  [
    "state kept over a reconnect",
    brokenCommit("cut-before"),
    /comparison found it|not recorded/,
    [
      ...MOVABLE,
      {
        file: "recorder/daemon.ts",
        replace:
          "const recorder = await restoreRecorder(log, this.#settings, ports, this.#past.contradicted);",
        by: "const recorder = (this as any).kept?.moveTo(log) ?? (await restoreRecorder(log, this.#settings, ports));\n    (this as any).kept = recorder;",
      },
    ],
  ],
  [
    "written on the rows of 20 merges",
    editedFurtherBack,
    /recorded on a log that contradicts itself/,
    [{ file: "restore/restore.ts", replace: "toServe: 20, toWrite: 100", by: "toServe: 20, toWrite: 20" }],
  ],
  [
    "what a peer wrote not looked at in a poll under the lock",
    peerBetween,
    /seq|recorded again/,
    [
      {
        file: "recorder/fence.ts",
        replace: " && !polled.peerWrites) return polled;",
        by: ") return polled;",
      },
    ],
  ],
  [
    "the last applied row not checked",
    newestGone,
    /not recorded/,
    [
      {
        file: "recorder/projection.ts",
        replace: "if (lastApplied !== null && fingerprint !== lastApplied.fingerprint)",
        by: "if (false)",
      },
    ],
  ],
];

describe("a daemon with this mistake is found out:", () => {
  it.each(MUTANTS)("%s", async (_, scenario, bites, patches) => {
    await using wrong: Mutant = await mutant(patches);
    expect(await scenario(wrong.code)).toContainEqual(expect.stringMatching(bites));
  });
});

describe("the daemon as it is passes:", () => {
  it.each([
    ["a race", race],
    ["a late commit", lateCommit],
    ["an id drawn early", drawnEarly],
    ["a transaction prepared between two looks", preparedBetween],
    ["a COMMIT that rolls back", brokenCommit({ say: "ROLLBACK" })],
    ["a COMMIT that never arrives", brokenCommit("cut-before")],
    ["the journal's newest rows gone", newestGone],
    ["a row edited 60 merges back", editedFurtherBack],
    ["a peer's merge between two of its own", peerBetween],
    ["a backlog shared by two", sharedBacklog],
  ])("%s", async (_, scenario) => {
    expect(await scenario(undefined)).toEqual([]);
  });
});
