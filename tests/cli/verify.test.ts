import { describe, expect, test } from "vitest";
import { main } from "../../src/cli/program.ts";
import type { VerifyOptions } from "../../src/cli/read-verification.ts";
import { renderVerification } from "../../src/cli/verify-text.ts";
import { Differences } from "../../src/core/difference.ts";
import { driftFacts, type Verification, verificationOf } from "../../src/core/verification.ts";
import { Verifier } from "../../src/core/verifier.ts";
import { history, record, SMALL, times } from "../core/build.ts";
import { fakeTerminal, NOTHING } from "./fake-terminal.ts";

const NO_MERGES = { committed: 0, duplicates: 0, waiting: 0, pruned: 0, drifted: 0, without_transition: 0 };

/** The verification of ten merges, with something done to their rows, payload by payload. */
function verification(
  change: (payload: Record<string, unknown>, index: number) => void = () => undefined,
  some: Partial<Verification> = {},
): Verification {
  const differences = new Differences(2);
  const verifier = new Verifier(SMALL, differences);
  record(history(times(10, {})), SMALL).rows.forEach(({ kind, workItemId, payload }, index) => {
    const changed = structuredClone(payload) as unknown as Record<string, unknown>;
    change(changed, index);
    verifier.accept({ id: String(100 + index), kind, workItemId, payload: JSON.stringify(changed) });
  });
  verifier.end();
  const merges = { ...NO_MERGES, committed: 10 };
  const document = verificationOf(verifier, merges, differences, [], "2026-11-22T12:00:00.000Z");
  return { ...document, ...some };
}

const RIGHT = verification();
const WRONG = verification((payload, index) => {
  if (index === 20) payload["numerator"] = 1;
  if (index === 25) payload["key"] = "a\n\x1b[2Jb";
  if (index === 30) payload["numerator"] = 2;
});

async function type(args: string, document: Verification, setting: Parameters<typeof fakeTerminal>[0] = {}) {
  const { terminal, written } = fakeTerminal(setting);
  const asked: VerifyOptions[] = [];
  const readVerification = async (_: unknown, options: VerifyOptions) => {
    asked.push(options);
    return document;
  };
  const code = await main("metrics", args.split(" "), terminal, { ...NOTHING, readVerification });
  return { code, ...written, asked };
}

describe("a verification in words", () => {
  test("of a log without differences shows what was checked", () => {
    expect(renderVerification(RIGHT)).toBe(
      [
        "checked 10 merges, up to merge 10 (event 1070, 2026-11-22 10:10:00Z)",
        "  40 metric rows · 3 crossings · 0 skipped merges · 0 checkpoints",
        "no differences: every recorded number is what the recorded facts give",
        "",
      ].join("\n"),
    );
  });

  test("shows the first differences, counts all, and lets no row forge a line", () => {
    expect(renderVerification(WRONG)).toBe(
      [
        "row 120 · number · rebase_conflict_rate, global, merge 5, event 1035",
        "  recorded  value 0, numerator 1, n=4/4",
        "  expected  value 0, numerator 0, n=4/4",
        "",
        "row 125 · key · p95_attempts_to_merge, global, merge 6, event 1042",
        "  recorded  a\\x0a\\x1b[2Jb",
        "  expected  p95_attempts_to_merge|global|1042",
        "",
        "1 more difference (--limit shows more)",
        "",
        "checked 10 merges, up to merge 10 (event 1070, 2026-11-22 10:10:00Z)",
        "  40 metric rows · 3 crossings · 0 skipped merges · 0 checkpoints",
        "3 differences",
        "  1  keys that are not what the contract says",
        "  2  values, numerators or counts that the recorded facts do not give",
        "",
      ].join("\n"),
    );
  });

  test("shows notes that are not differences", () => {
    const facts = { project: "a\u202e", attempts: 1, lastVerdict: null };
    const text = renderVerification(
      verification(undefined, {
        history_truncated: true,
        counts: { ...RIGHT.counts, duplicates: 12, waiting: 3, drifted: 2 },
        drifted: [
          {
            event_id: "48213",
            work_item_id: "912",
            recorded: driftFacts(facts, null),
            now: driftFacts({ ...facts, attempts: "3", project: "b" }, null),
          },
          { event_id: "48214", work_item_id: "913", recorded: driftFacts(facts, null), now: null },
        ],
      }),
    );
    expect(text.split("\n").slice(2, -2)).toStrictEqual([
      "  the log is truncated: its oldest rows are gone",
      "  12  duplicates: later merges of recorded work items, not counted",
      "   3  merges not recorded yet",
      "   2  work items that have changed since; what was recorded remains",
      "      work item 912, event 48213: project a\\u202e -> b, attempts 1 -> 3",
      "      work item 913, event 48214: is gone",
    ]);
  });

  test("of an empty log is not a failure", async () => {
    const empty = verificationOf(
      new Verifier(SMALL, new Differences(1)),
      NO_MERGES,
      new Differences(1),
      [],
      "",
    );
    expect(await type("verify", empty)).toMatchObject({ code: 0, out: "nothing is recorded yet\n" });
  });
});

describe("metrics verify", () => {
  test("exits with 0 without differences, with 1 on any", async () => {
    expect((await type("verify", RIGHT)).code).toBe(0);
    expect((await type("verify", WRONG)).code).toBe(1);
    expect((await type("verify --json", WRONG)).code).toBe(1);
  });

  test("--json is nothing but the document, with a number for every kind of difference", async () => {
    const { out, err } = await type("verify --json", WRONG);
    expect(JSON.parse(out)).toStrictEqual(JSON.parse(JSON.stringify(WRONG)));
    expect(err).toBe("");
    expect(WRONG.differences.by_kind).toMatchObject({ number: 2, key: 1, seq_gap: 0, checkpoint: 0 });
  });

  test("hands its limit and timeout over", async () => {
    const { asked } = await type("verify --limit 3 --timeout 1m", RIGHT);
    expect(asked).toMatchObject([{ limit: 3, timeoutMs: 60_000 }]);
    expect((await type("verify --limit x", RIGHT)).code).toBe(2);
  });

  test("a reader that closes the pipe early is not a failure", async () => {
    expect((await type("verify", WRONG, { readerGone: true })).code).toBe(0);
  });
});
