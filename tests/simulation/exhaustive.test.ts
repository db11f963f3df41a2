/**
 * Every scope of `exhaustive/scopes.ts` is clean, and every mutant is found. Two processes share the work, with the code's private
 * state made visible (`exhaustive/opened.ts`). On CI scopes are exhausted, as by `npm run explore`; elsewhere they are searched up to
 * some thousand states each.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { Result } from "./exhaustive/report.ts";

const PROCESSES = 2;
const EXPLORE = process.env["CI"] === "true" ? "" : "small";
const file = (name: string): string => fileURLToPath(new URL(`./exhaustive/${name}`, import.meta.url));

async function share(number: number): Promise<Result[]> {
  const options = [
    "--disable-warning=ExperimentalWarning",
    "--max-old-space-size=1024",
    "--import",
    file("opened.ts"),
    file("main.ts"),
  ];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...options, "--json", "--share", `${number}/${PROCESSES}`],
    { maxBuffer: 2 ** 26, env: { ...process.env, NODE_OPTIONS: "", EXPLORE } },
  ).catch((error: { readonly stdout?: string; readonly stderr?: string }) => {
    // The exit code reports that a result is not as expected; the lines show which one.
    if (error.stderr !== undefined && error.stderr !== "") throw new Error(error.stderr);
    return { stdout: error.stdout ?? "" };
  });
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Result);
}

const results = (await Promise.all(Array.from({ length: PROCESSES }, (_, index) => share(index + 1)))).flat();
const scopes = results.filter(({ mistake }) => mistake === null);
const mutants = results.filter(({ mistake }) => mistake !== null);

describe("every schedule", () => {
  test.for(scopes)("$scope", ({ failure, preemptions, bounded }) => {
    expect(failure).toBeNull();
    expect(preemptions === null || bounded).toBe(true);
  });
});

describe("found by the explorer", () => {
  test.for(mutants)("$mistake", ({ failure }) => {
    expect(failure).not.toBeNull();
  });
});
