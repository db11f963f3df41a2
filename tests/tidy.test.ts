/** Style that the linters cannot check: words, and names of files. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
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

/** Tests whose words are still to be revised, and the list above. */
const UNREVISED = /^tests\/simulation\/|^tests\/tidy\.test\.ts$/;

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
  "tests",
).filter((path) => /\.(ts|js|py|sql|ya?ml|css|html)$/.test(path) && !UNREVISED.test(path));

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

/** The folder of src that a file is in. */
function layerOf(path: string): string {
  return path.split("/").slice(1, -1)[0] ?? "main";
}

it("imports between the layers of src point one way", () => {
  const imports = new Map<string, Set<string>>();
  for (const path of filesIn("src")) {
    const layer = layerOf(path);
    for (const [, target] of readFileSync(new URL(path, root), "utf8").matchAll(/from "(\.[^"]+)"/g)) {
      const other = layerOf(relative("", join(dirname(path), target ?? "")));
      if (other !== layer && other !== "main" && layer !== "main")
        imports.set(layer, (imports.get(layer) ?? new Set()).add(other));
    }
  }
  const reaches = (layer: string, seen = new Set<string>()): Set<string> => {
    for (const other of imports.get(layer) ?? []) if (!seen.has(other)) reaches(other, seen.add(other));
    return seen;
  };
  expect([...imports.keys()].filter((layer) => reaches(layer).has(layer))).toStrictEqual([]);
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
