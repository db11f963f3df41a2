/** What the consumer prints and keeps: nothing is lost where it cannot print or write, and its usage is complete. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempDisposableSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, test } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { CONTRACT, merge, PRODUCER } from "../core/build.ts";
import { findProgram, type Ran, runProgram } from "../support/programs.ts";

const SCRIPT = fileURLToPath(new URL("../../examples/consumer/consume.py", import.meta.url));
const PYTHON = findProgram("/usr/bin/python3", "python3") ?? "python3";

beforeEach((ctx) => {
  if (findProgram(PYTHON) === null) ctx.skip("python3 is not installed");
  if (process.platform !== "linux") ctx.skip("/dev/full and /proc are Linux's");
});

/** Trust rises at the 50th merge of a project; every merge is one at the first pass. */
function rowsOf(project: string, merges: number): string {
  const analyzer = new Analyzer(CONTRACT);
  const lines: string[] = [];
  for (let seq = 1; seq <= merges; seq += 1)
    for (const { kind, payload } of fold(
      analyzer,
      merge(seq, { project, attempts: 1, lastVerdict: "approve" }),
      PRODUCER,
    ))
      lines.push(`${JSON.stringify({ id: String(lines.length + 1), kind, payload })}\n`);
  return lines.join("");
}

const ROWS = rowsOf("atlas", 100);
const DECISIONS = 2;

/** Through a shell, which can close and limit what the consumer gets. */
function shell(script: string, input = ""): Ran {
  const all = `consume() { ${PYTHON} ${SCRIPT} --stdin --no-jsonschema "$@"; }\n${script}`;
  return runProgram("/bin/sh", ["-c", all], input);
}

const lines = (text: string): number => text.split("\n").length - 1;

test("two consumers in one folder never touch each other's state", async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
  // What both would write first, if a name were made from what their names share.
  mkdirSync(join(folder.path, "state.new"));
  const projects = { "state.scheduler": "atlas", "state.report": "zeus" };
  const runs = Object.entries(projects).map(async ([name, project]) => {
    const state = join(folder.path, name);
    const child = spawn(PYTHON, [SCRIPT, "--stdin", "--no-jsonschema", "--state", state], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin.end(rowsOf(project, 100));
    expect((await once(child, "close"))[0]).toBe(0);
  });
  await Promise.all(runs);
  for (const [name, project] of Object.entries(projects)) {
    const { policies } = JSON.parse(readFileSync(join(folder.path, name), "utf8"));
    expect(Object.keys(policies.projects)).toStrictEqual([project]);
  }
  expect(new Set(readdirSync(folder.path))).toStrictEqual(new Set(["state.new", ...Object.keys(projects)]));
});

test("the position is on the disk before it has its name, and so is the name; decisions in a file come first", () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
  const watched = `import sys; sys.path.insert(0, ${JSON.stringify(dirname(SCRIPT))})
import consume, os, pathlib, stat
calls = []
fsync, replace = os.fsync, pathlib.Path.replace
def kind(fd): return "folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))[:8]
os.fsync = lambda fd: (calls.append(f"sync {kind(fd)}"), fsync(fd))
pathlib.Path.replace = lambda self, to: (calls.append("rename"), replace(self, to))[1]
state = consume.State(pathlib.Path("state.json"))
state.write({"after": "7"})
state.write({"after": "7"})
print(calls, file=sys.stderr)`;
  const { stderr } = spawnSync(
    "/bin/sh",
    ["-c", `cd "$0" && exec ${PYTHON} -B -c "$1" > decisions`, folder.path, watched],
    {
      encoding: "utf8",
    },
  );
  expect(stderr).toBe("['sync decision', 'sync .consume', 'rename', 'sync folder']\n");
});

test("a closed standard output is refused, before anything is read or kept", () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
  const ran = shell(`consume --state ${folder.path}/state.json >&-`);
  expect(ran).toStrictEqual({ status: 2, stdout: "", stderr: "consume.py: standard output is closed\n" });
  expect(readdirSync(folder.path)).toStrictEqual([]);
});

test("a pipe without a reader ends it quietly, and the decisions come again", async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
  const state = join(folder.path, "state.json");
  const child = spawn(PYTHON, [SCRIPT, "--stdin", "--no-jsonschema", "--state", state], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdout.destroy();
  await once(child.stdout, "close");
  child.stdin.end(ROWS);
  expect([(await once(child, "close"))[0], said]).toStrictEqual([0, ""]);
  expect(readdirSync(folder.path)).toStrictEqual([]);
  expect(lines(shell(`consume --state ${state}`, ROWS).stdout)).toBe(DECISIONS);
});

test("a full disk under the decisions is an error, and they come again", () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
  const full = shell(`consume --state ${folder.path}/state.json >/dev/full`, ROWS);
  expect(full).toMatchObject({
    status: 1,
    stderr: "consume.py: decisions cannot be printed: No space left on device\n",
  });
  expect(readdirSync(folder.path)).toStrictEqual([]);
  expect(lines(shell(`consume --state ${folder.path}/state.json`, ROWS).stdout)).toBe(DECISIONS);
});

test("where the position cannot be written, the old one stays whole, and the decisions come again", () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "consumer-"));
  const state = join(folder.path, "state.json");
  const all = ROWS.split(/(?<=\n)/);
  // Ten merges of four rows.
  shell(`consume --state ${state}`, all.slice(0, 40).join(""));
  const rest = all.slice(40).join("");
  const before = readFileSync(state, "utf8");
  // No file may grow; the system answers as for a full disk, with another reason.
  const refused = shell(`ulimit -f 0; consume --state ${state}`, rest);
  expect(refused).toMatchObject({
    status: 1,
    stderr: `consume.py: the position cannot be kept in ${state}: File too large\n`,
  });
  expect(lines(refused.stdout)).toBe(DECISIONS);
  expect(readFileSync(state, "utf8")).toBe(before);
  expect(readdirSync(folder.path)).toStrictEqual(["state.json"]);
  expect(lines(shell(`consume --state ${state}`, rest).stdout)).toBe(DECISIONS);
});

test.each(["unset DATABASE_URL", "export DATABASE_URL="])(
  "without a database it ends with 2: %s",
  (given) => {
    const { status, stdout, stderr } = shell(`${given}; ${PYTHON} ${SCRIPT} --once`);
    expect([status, stdout]).toStrictEqual([2, ""]);
    expect(stderr).toMatch(/error: no database: give --dsn or DATABASE_URL/);
  },
);

test("a line that is not a row is named", () => {
  const { status, stderr } = shell("consume", `${ROWS}nonsense\n`);
  expect([status, stderr]).toStrictEqual([
    1,
    `consume.py: line ${lines(ROWS) + 1} of standard input is not a row\n`,
  ]);
});

test("--help says everything in 80 columns: each option, examples, the environment, the exit codes", () => {
  const { status, stdout } = shell(`COLUMNS=80 ${PYTHON} ${SCRIPT} --help`);
  expect(status).toBe(0);
  const taken = readFileSync(SCRIPT, "utf8").match(/(?<=add_argument\(\s*")--[a-z-]+/g) ?? [];
  for (const word of [...taken, "examples:", "DATABASE_URL", "exit codes:", "0  ", "1  ", "2  "])
    expect(stdout).toContain(word);
  expect(Math.max(...stdout.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80);
});
