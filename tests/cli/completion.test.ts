/** Completion as a shell does it: bash runs the script, if it is installed. */
import { spawnSync } from "node:child_process";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { main } from "../../src/cli/program.ts";
import { fakeTerminal, NOTHING } from "./fake-terminal.ts";

async function completion(shell: string) {
  const { terminal, written } = fakeTerminal({ env: {} });
  const code = await main("metrics", ["completion", shell], terminal, NOTHING);
  return { code, ...written };
}

const has = (shell: string) => spawnSync(shell, ["-c", "exit 0"]).status === 0;

/** What bash offers at the end of a command line. */
function offered(script: string, line: string): string[] {
  const words = line.split(" ");
  const { stdout, stderr } = spawnSync(
    "bash",
    [
      "--norc",
      "-c",
      `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _metrics; printf '%s\\n' "\${COMPREPLY[@]}"`,
      "-",
      ...words,
    ],
    { encoding: "utf8" },
  );
  expect(stderr).toBe("");
  return stdout.split("\n").filter((word) => word !== "");
}

describe("metrics completion", () => {
  test.runIf(has("bash")).each([
    ["metrics s", ["snapshot", "simulate", "schema"]],
    ["metrics explain t", ["trust"]],
    ["metrics history re", ["rebase_conflict_rate"]],
    ["metrics --no-color snapshot --w", ["--watch", "--wide"]],
    ["metrics snapshot --project run --st", ["--strict"]],
    ["metrics snapshot -o j", ["json", "jsonl"]],
    ["metrics completion ", ["bash", "zsh", "fish", "--help"]],
    ["/usr/bin/snapshot --req", ["--require-defined"]],
    ["metrics nonsense ", []],
  ])("bash: %s", async (line, expected) => {
    expect(offered((await completion("bash")).out, line)).toStrictEqual(expected);
  });

  test.each(["bash", "zsh", "fish"])("%s: a script that this shell accepts", async (shell) => {
    const { code, out, err } = await completion(shell);
    expect([code, err]).toStrictEqual([0, ""]);
    for (const word of ["snapshot", "rebase_conflict_rate", "scope_overlap", "require-defined"])
      expect(out).toContain(word);
    if (!has(shell)) return;
    await using folder = await mkdtempDisposable(join(tmpdir(), "completion-"));
    const file = join(folder.path, "script");
    await writeFile(file, out);
    expect(spawnSync(shell, ["-n", file], { encoding: "utf8" }).stderr).toBe("");
  });

  test("another shell is a usage error", async () => {
    expect(await completion("tcsh")).toMatchObject({ code: 2, out: "" });
  });
});
