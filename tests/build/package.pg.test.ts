/** The package as npm installs it: what it holds, and that what was compiled at build time is used where it fits. */
import { execFile } from "node:child_process";
import { cpSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { installPackage } from "../../build/package.ts";
import { environment } from "../../demo/command.ts";
import { SERVICE, VERSION } from "../../src/version.ts";
import { scratchFolder } from "../support/scratch.ts";
import { sharedDatabase } from "../support/shared-database.ts";

/** `npm test` has installed it already. */
const installed = process.env["TEST_ENTRY"] === undefined ? await installPackage() : null;
afterAll(() => installed?.[Symbol.asyncDispose]());
const ENTRY = installed?.entry ?? String(process.env["TEST_ENTRY"]);
const PACKAGE = dirname(dirname(ENTRY));
const DIST = join(PACKAGE, "dist");
/** npm's folder of commands, as it would be on PATH. */
const COMMANDS = join(PACKAGE, "../../../bin");

const database = sharedDatabase();

/** Changes one bit, at a place from 0 to 1. */
const flipped = (at: number) => (bytes: Buffer) => {
  const place = Math.floor((bytes.length - 1) * at);
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  return bytes;
};

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
  const built = `${process.version}-${process.platform}-${process.arch}.cache`;
  expect(globSync("*", { cwd: DIST }).toSorted()).toEqual([
    "THIRD-PARTY-LICENCES.txt",
    `other-${built}`,
    "program.js",
    `reading-${built}`,
    `run-${built}`,
    "sbom.cdx.json",
  ]);
  expect(globSync("{bin,dist}/**/*.ts", { cwd: PACKAGE })).toEqual([]);
  expect(JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"))).not.toHaveProperty("dependencies");
});

describe("the libraries in the bundle", () => {
  const { components, ...bom } = JSON.parse(readFileSync(join(DIST, "sbom.cdx.json"), "utf8")) as {
    readonly components: readonly {
      readonly name: string;
      readonly version: string;
      readonly scope: string;
    }[];
  };
  const licences = readFileSync(join(DIST, "THIRD-PARTY-LICENCES.txt"), "utf8");

  it("are listed in a bill of materials: those that run, and no tool of the build", () => {
    expect(bom).toMatchObject({
      bomFormat: "CycloneDX",
      metadata: { component: { name: SERVICE, version: VERSION, type: "application" } },
    });
    const names = components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["commander", "d3-scale", "fastify", "pg", "pino", "zod"]));
    expect(names).not.toEqual(expect.arrayContaining(["esbuild"]));
    expect(components.filter(({ scope }) => scope !== "required")).toEqual([]);
  });

  it("come with their licences and the names of their authors", () => {
    const texts = licences.split(`\n${"-".repeat(80)}\n`);
    const headed = components.map(({ name, version }) => `${name} ${version} (`);
    expect(headed.filter((head) => !texts.some((text) => text.includes(`\n${head}`)))).toEqual([]);
    expect(texts).toHaveLength(components.length);
    expect(texts.filter((text) => !/copyright|\bBy \w/i.test(text))).toEqual([]);
  });
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

  const cache = `other-${process.version}-${process.platform}-${process.arch}.cache`;
  it.each<readonly [string, string, (bytes: Buffer) => Buffer]>([
    ["with a bit flipped at its beginning", cache, flipped(0)],
    ["with a bit flipped in the middle", cache, flipped(0.5)],
    ["with a bit flipped in its checksum", cache, flipped(1)],
    ["cut", cache, (bytes) => bytes.subarray(0, -1)],
    ["that is empty", cache, () => Buffer.alloc(0)],
    [
      "of another program of the same length",
      "program.js",
      (bytes) => Buffer.from(bytes.toString("latin1").replace('"use strict"', "'use strict'"), "latin1"),
    ],
  ])("is ignored %s", async (_, file, damaged) => {
    await using copy = await scratchFolder("package");
    cpSync(PACKAGE, copy.path, { recursive: true });
    const path = join(copy.path, "dist", file);
    writeFileSync(path, damaged(readFileSync(path)));
    expect(await run(join(copy.path, "bin/metrics.js"), ["--version"], preloaded(REPORT))).toBe(
      `rejected: undefined\n${VERSION}\n`,
    );
  });
});
