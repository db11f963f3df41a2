/** What may stand nowhere in the product's code. The linter holds most of it too; this holds the linter. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const sources = globSync("src/**/*.ts", { cwd: ROOT }).map((file) => ({
  file,
  text: readFileSync(`${ROOT}/${file}`, "utf8"),
}));

function filesWith(pattern: RegExp): string[] {
  return sources.filter(({ text }) => pattern.test(text)).map(({ file }) => file);
}

describe("no source file", () => {
  it.each([
    ["turns certificate checks off", /rejectUnauthorized|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity/],
    ["makes code of text", /\beval\(|\bnew Function\(|node:vm|from "vm"/],
    ["starts a program", /child_process|node:cluster|process\.binding/],
    ["looks into another process or listens for a debugger", /node:inspector|inspector\.open/],
    ["takes a random number for a secret from Math.random", /Math\.random\(\).*(secret|token|password)/i],
  ])("%s", (_, pattern) => {
    expect(filesWith(pattern)).toEqual([]);
  });
});

it("only what is asked for a file writes one: never the daemon", () => {
  const asked = ["src/cli/history.ts", "src/contracts/generate.ts"];
  const writing = filesWith(/\b(writeFile|appendFile|createWriteStream|mkdir|unlink|rmSync|rmdir)/);
  expect(writing.filter((file) => !asked.includes(file))).toEqual([]);
});
