import { mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { checkpointRow } from "../../src/core/checkpoint.ts";
import type { Facts } from "../../src/core/merge.ts";
import { skippedRow } from "../../src/core/metric-event.ts";
import { effective } from "../../src/core/scope.ts";
import { CONTRACT, checkpointAt, merge, PRODUCER } from "../core/build.ts";
import { findProgram, type Ran, runProgram } from "../support/programs.ts";

// Each run checks some two thousand rows in Python.
vi.setConfig({ testTimeout: 60_000 });

const SCRIPT = fileURLToPath(new URL("../../examples/consumer/consume.py", import.meta.url));
const OVERLAP = 1;

type Row = { readonly id: string; readonly kind: string; readonly payload: Record<string, unknown> };
type Decision = {
  readonly policy: string;
  readonly project: string | null;
  readonly from: string;
  readonly to: string;
  readonly value: number | null;
  readonly seq: number;
  readonly basis?: string | null;
};

/** Good stretches and bad ones; atlas fills its window, borealis and `__proto__` stay young. */
function facts(index: number): Facts {
  const bad = Math.floor(index / 120) % 2 === 1;
  const conflict = index % (bad ? 4 : 40) === 0;
  return {
    project: index % 9 === 0 ? "borealis" : index % 31 === 0 ? "__proto__" : "atlas",
    attempts: conflict || index % (bad ? 3 : 15) === 0 ? 2 : 1,
    lastVerdict: conflict ? "rebase_conflict" : "approve",
  };
}

type Told = { readonly rows: Row[]; readonly decisions: Decision[] };

/** What the daemon writes over some merges, and what its own memory says that policies should do. */
function story(merges: number): Told {
  const analyzer = new Analyzer(CONTRACT);
  const rows: Row[] = [];
  const decisions: Decision[] = [];
  const known = new Map<string, string>();
  const decide = (
    policy: string,
    project: string | null,
    to: string,
    rest: Pick<Decision, "value" | "seq" | "basis">,
  ): void => {
    const from = known.get(`${policy}|${project}`) ?? "unknown";
    known.set(`${policy}|${project}`, to);
    if (from !== to) decisions.push({ policy, project, from, to, ...rest });
  };
  const append = (kind: string, payload: unknown): void => {
    const id = String(10 + rows.length * 3);
    rows.push({ id, kind, payload: JSON.parse(JSON.stringify(payload)) as Row["payload"] });
  };
  for (let seq = 1; seq <= merges; seq += 1) {
    for (const { kind, payload } of fold(analyzer, merge(seq, facts(seq)), PRODUCER)) append(kind, payload);
    if (seq % 100 === 50) {
      const place = checkpointAt(rows.at(-1)?.id ?? "0");
      append("metric.checkpoint", checkpointRow(analyzer, place, PRODUCER).payload);
      append("metric.later_kind", { schema_version: 1, key: `later|${seq}` });
      const skipped = { eventId: String(seq), workItemId: null, reason: "work_item_missing" } as const;
      append("metric.merge_skipped", skippedRow(skipped, PRODUCER).payload);
    }
    const { global } = analyzer;
    const trust = global.reading(0);
    decide("trust", null, global.gate("first_pass_merge_rate").state, {
      value: trust.defined ? trust.value : null,
      seq,
    });
    for (const [project, scope] of analyzer.projects) {
      const now = effective(
        { reading: scope.reading(OVERLAP), state: scope.gate("rebase_conflict_rate").state },
        { reading: global.reading(OVERLAP), state: global.gate("rebase_conflict_rate").state },
      );
      decide("scope_overlap", project, now.state, { value: now.value, seq, basis: now.scope });
    }
  }
  return { rows, decisions };
}

/** Debian's own first: python3-jsonschema belongs to that one. */
const PYTHON = findProgram("/usr/bin/python3", "python3");

function consume(rows: readonly unknown[], ...args: string[]): Ran & { decisions: Decision[] } {
  const input = rows.map((row) => `${typeof row === "string" ? row : JSON.stringify(row)}\n`).join("");
  const ran = runProgram(PYTHON ?? "python3", [SCRIPT, "--stdin", ...args], input);
  const decisions = ran.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const { event_id: _, ...decision } = JSON.parse(line) as Decision & { readonly event_id: string };
      return decision;
    });
  return { ...ran, decisions };
}

const byText = (decisions: readonly Decision[]): string[] =>
  decisions
    .map((decision) => JSON.stringify(Object.entries(decision).toSorted(([a], [b]) => (a < b ? -1 : 1))))
    .toSorted();

const { rows, decisions } = story(410);
const indexOf = (matches: (row: Row) => boolean): number => rows.findIndex(matches);
const changed = (index: number, change: Record<string, unknown>): Row[] => {
  const row = rows[index] as Row;
  const payload = JSON.parse(JSON.stringify({ ...row.payload, ...change })) as Row["payload"];
  return rows.with(index, { ...row, payload });
};

beforeEach((ctx) => {
  if (PYTHON === null) ctx.skip("python3 is not installed");
});

describe.for([
  ["with python3-jsonschema", []],
  ["with the standard library alone", ["--no-jsonschema"]],
] as const)("%s", ([, flags]) => {
  beforeEach((ctx) => {
    const asked = runProgram(PYTHON ?? "", ["-c", "import jsonschema"]);
    if (flags.length === 0 && asked.status !== 0) ctx.skip("python3-jsonschema is not installed");
  });

  test("decides what the daemon's own memory says, at the same merges", () => {
    const told = consume(rows, ...flags);
    expect([told.status, told.stderr]).toStrictEqual([0, ""]);
    expect(byText(told.decisions)).toStrictEqual(byText(decisions));
    const policies = decisions.map(({ policy, basis, to }) => `${policy} ${basis} ${to}`);
    expect(new Set(policies).size).toBeGreaterThanOrEqual(5);
  });

  test.each<[string, (row: Row) => boolean, Record<string, unknown>]>([
    ["a percentage", ({ kind }) => kind === "metric.first_pass_merge_rate", { value: 88 }],
    ["no key", ({ kind }) => kind === "metric.p95_attempts_to_merge", { key: undefined }],
    ["text for a number", ({ kind }) => kind === "metric.rebase_conflict_rate", { n: "7" }],
  ])("rejects a row with %s, and consumes nothing beyond its merge", (_, matches, change) => {
    const index = rows.findIndex((row, at) => at > 1000 && matches(row));
    const told = consume(changed(index, change), ...flags);
    expect(told.status).toBe(1);
    expect(told.stderr).toMatch(
      new RegExp(`^rejected row ${rows[index]?.id} of kind '${rows[index]?.kind}'`),
    );
    expect(told.stderr).toContain("have a hole");
    const until = (rows[index] as Row & { payload: { seq: number } }).payload.seq;
    expect(byText(told.decisions)).toStrictEqual(byText(decisions.filter(({ seq }) => seq < until)));
  });

  test("unmarked rows between ours are rejected or skipped, ours are consumed", () => {
    const foreign = [
      { id: "11", kind: "metric.first_pass_merge_rate", payload: { value: 0.5 } },
      { id: "12", kind: "metric.rebase_conflict_rate", payload: "text" },
      { id: "14", kind: "metric.unheard_of", payload: [1] },
    ];
    const mixed = [...rows, ...foreign].toSorted((a, b) => Number(a.id) - Number(b.id));
    const told = consume(mixed, ...flags);
    expect(told.status).toBe(1);
    expect(told.stderr.trimEnd().split("\n")).toHaveLength(2);
    expect(byText(told.decisions)).toStrictEqual(byText(decisions));
  });
});

const quick = (some: readonly unknown[], ...args: string[]) => consume(some, "--no-jsonschema", ...args);

function last(policy: string, all: readonly Decision[]): string | undefined {
  return all.findLast((one) => one.policy === policy)?.to;
}

describe("the safe horizon", () => {
  const crossed = indexOf(
    ({ kind, payload }) => kind === "metric.threshold_crossed" && payload["seq"] !== 50,
  );

  test.each<[string, (all: readonly Row[]) => readonly unknown[]]>([
    [
      "a merge whose rows are missing",
      (all) =>
        all.filter(
          ({ payload }) =>
            (payload["merge"] as { event_id?: string } | undefined)?.event_id !== String(1000 + 7 * 90),
        ),
    ],
    ["a row that is missing", (all) => all.toSpliced(crossed, 1)],
  ])("nothing is consumed beyond %s", (_, holed) => {
    const told = quick(holed(rows));
    expect(told.stderr).toContain("have a hole");
    expect(told.decisions.length).toBeLessThan(decisions.length);
    expect(byText(decisions)).toEqual(expect.arrayContaining(byText(told.decisions)));
  });

  test("repeats are dropped by their key, wherever a relay puts them", () => {
    const again = rows.slice(40, 60).map((row, index) => ({ ...row, id: String(1_000_000 + index) }));
    const told = quick([...rows.slice(0, 900), ...rows.slice(300, 500), ...rows.slice(900), ...again]);
    expect(byText(told.decisions)).toStrictEqual(byText(decisions));
  });

  test("a log whose old end was deleted is followed from its first whole set", () => {
    const told = quick(rows.slice(834));
    expect([told.status, told.stderr]).toStrictEqual([0, ""]);
    expect(last("trust", told.decisions)).toBe(last("trust", decisions));
  });

  test("the position and the decisions survive a restart at any row", () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
    const state = join(folder.path, "state.json");
    const told: Decision[] = [];
    for (const end of [700, 1201, rows.length]) {
      const after = Number(
        end === 700
          ? 0
          : (JSON.parse(readFileSync(state, "utf8")) as { position: { after: string } }).position.after,
      );
      const part = rows.slice(0, end).filter(({ id }) => Number(id) > after);
      told.push(...quick(part, "--state", state).decisions);
    }
    expect(byText(told)).toStrictEqual(byText(decisions));
  });

  test.each(['{"position": ', "[]"])("a state file that holds %s is named, and nothing is read", (text) => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
    const state = join(folder.path, "state.json");
    writeFileSync(state, text);
    const { status, stdout, stderr } = quick([], "--state", state);
    expect([status, stdout]).toStrictEqual([1, ""]);
    expect(stderr).toMatch(/^consume\.py: .*state\.json is not a state file.*\n$/);
  });

  test("psql gets the password through its environment, not where other users can read it", () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
    const fake = join(folder.path, "psql");
    writeFileSync(fake, '#!/bin/sh\nprintf "%s\\0" "$*" "$PGPASSWORD"\n', { mode: 0o755 });
    vi.stubEnv("PATH", `${folder.path}:${process.env["PATH"]}`);
    const ask = `import sys; sys.path.insert(0, ${JSON.stringify(dirname(SCRIPT))}); import consume, json
print(json.dumps(consume.Psql("postgresql://reader:can%2Fary@db/damascus").ask("SELECT 1")))`;
    const { stdout } = runProgram(PYTHON ?? "", ["-B", "-c", ask]);
    vi.unstubAllEnvs();
    const [told, password] = JSON.parse(stdout) as string[];
    expect(told).toContain("postgresql://reader@db/damascus");
    expect(password).toBe("can/ary");
  });

  test("a project's name cannot forge a line", () => {
    const hostile = rows.map((row) =>
      JSON.parse(JSON.stringify(row).replaceAll("borealis", 'x\\n{\\"policy\\":\\"trust\\"}\\u001b[2J')),
    );
    const told = quick(hostile);
    expect(told.decisions.length).toBeGreaterThan(10);
    expect(told.decisions).toHaveLength(decisions.length);
    // oxlint-disable-next-line no-control-regex
    expect(told.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  });
});
