/** The package as npm installs it: what it holds, and that what was compiled at build time is used where it fits. */
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { VERSION } from "../../src/version.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const PACKAGE = dirname(dirname(ENTRY));
/** npm's folder of commands, as it would be on PATH. */
const COMMANDS = join(PACKAGE, "../../../bin");

const database = sharedDatabase();

/** Runs before the executable. */
function preloaded(module: string): string {
  return `--import="data:text/javascript,${encodeURIComponent(module)}"`;
}

async function run(command: string, args: readonly string[], nodeOptions = ""): Promise<string> {
  const env = { ...environment(database.daemonUrl), NODE_OPTIONS: nodeOptions };
  return (await promisify(execFile)(command, args, { env })).stdout;
}

it("holds the program and its configuration, no library and nothing to compile", () => {
  expect(globSync("*", { cwd: PACKAGE }).toSorted()).toEqual([
    "README.md",
    "bin",
    "config",
    "dist",
    "package.json",
  ]);
  expect(globSync("{bin,dist}/**/*.ts", { cwd: PACKAGE })).toEqual([]);
  expect(JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"))).not.toHaveProperty("dependencies");
});

it("installs the commands metrics and snapshot", async () => {
  expect(await run(join(COMMANDS, "metrics"), ["--version"])).toBe(`${VERSION}\n`);
  expect(await run(join(COMMANDS, "metrics"), ["config", "--check"])).toBe("configuration is valid\n");
  expect(await run(join(COMMANDS, "metrics"), ["schema", "snapshot"])).toContain('"$schema"');
  const snapshot = await run(join(COMMANDS, "snapshot"), []);
  expect(snapshot).toMatch(/^first_pass_merge_rate = undefined/);
  expect(await run(join(COMMANDS, "metrics"), ["snapshot"])).toBe(snapshot);
});

describe("what V8 compiled at build time", () => {
  const REPORT = `import vm from "node:vm";
    vm.Script = class extends vm.Script {
      constructor(...args) {
        super(...args);
        process.stdout.write("rejected: " + this.cachedDataRejected + "\\n");
      }
    };`;
  const OTHER_NODE = 'Object.defineProperty(process, "version", { value: "v24.0.1" });';
  it.each(["--version", "schema", "snapshot", "history", "explain", "verify", "simulate --verdicts none"])(
    "is used by metrics %s",
    async (verb) => {
      expect(await run(ENTRY, verb.split(" "), preloaded(REPORT))).toMatch(/^rejected: false\n/);
    },
  );

  it("is used under the flags of the image", async () => {
    const flags = readFileSync("Dockerfile", "utf8").match(/NODE_OPTIONS="([^"]+)"/)?.[1];
    expect(await run(ENTRY, ["snapshot"], `${flags} ${preloaded(REPORT)}`)).toMatch(/^rejected: false\n/);
  });

  it.each([
    ["is rejected under other flags of V8", "true", `--stack-trace-limit=50 ${preloaded(REPORT)}`],
    ["is not found by another Node.js", "undefined", preloaded(REPORT + OTHER_NODE)],
  ])("%s, and all is as before", async (_, rejected, nodeOptions) => {
    expect(await run(ENTRY, ["snapshot"], nodeOptions)).toBe(
      `rejected: ${rejected}\n${await run(ENTRY, ["snapshot"])}`,
    );
  });
});
