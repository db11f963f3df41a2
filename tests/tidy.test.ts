/** Style that the linters cannot check: words, and names of files. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);

/** Files of the repository, as paths from its root. */
function filesIn(...folders: readonly string[]): string[] {
  return execFileSync("git", ["ls-files", "--", ...folders], { cwd: root, encoding: "utf8" })
    .split("\n")
    .filter((path) => path !== "");
}

/** Words that have to be translated before they are understood, and what to write instead. The system's user may be called so. */
const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bwhoever\b/i, "name the program or the person"],
  [/\bsome(body|one) else\b|\bsomebody\b/i, "name the program or the person"],
  [/\bnobody\b(?![@"]| to run it as)/i, "name what does not happen"],
  [/\bfor ever\b/i, "indefinitely"],
  [/\bwhat there is\b/i, "name it"],
  [/\bpass(es|ed|ing)? over\b/i, "skip"],
  [/\bmend(s|ed|ing)?\b/i, "fix, repair"],
  [/\bcomes? to be\b/i, "becomes"],
  [/\bis no merge\b/i, "is not a merge"],
  [/\bhas become another\b/i, "changed"],
  [/\blow mark\b/i, "low-water mark"],
  [/\bcomparison of the whole log\b/i, "reconciliation"],
];

const PROSE = filesIn("*.md", "docs", "skills").filter(
  (path) => path.endsWith(".md") && !path.startsWith("tests/"),
);
const CODE = filesIn(
  "src",
  "contracts",
  "build",
  "demo",
  "bench",
  "chaos",
  "config",
  "bin",
  "examples",
).filter((path) => /\.(ts|js|py|sql|ya?ml|css|html)$/.test(path));

describe("words", () => {
  it.each(BANNED)("%s: %s", (word) => {
    const found = [...PROSE, ...CODE].flatMap((path) =>
      readFileSync(new URL(path, root), "utf8")
        .split("\n")
        .flatMap((line, index) => (word.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
    expect(found).toStrictEqual([]);
  });
});

it("no two files of a layer share a name", () => {
  const names = new Map<string, string[]>();
  for (const path of filesIn("src")) {
    const layer = path.split("/")[1] ?? "";
    const key = `${layer}/${basename(path)}`;
    names.set(key, [...(names.get(key) ?? []), path]);
  }
  expect([...names.values()].filter((paths) => paths.length > 1)).toStrictEqual([]);
});
