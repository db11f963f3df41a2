/** Programs of the system that some tests need: where one is missing, the test is skipped and says why. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, resolve } from "node:path";

export type Ran = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end, with this on its standard input. */
export function runProgram(command: string, args: readonly string[], input = ""): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    input,
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** The path of the first of these programs that is on PATH, or at its own path; null where none is. */
export function findProgram(...names: readonly string[]): string | null {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  for (const name of names) {
    for (const folder of folders) {
      const path = resolve(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here.
      }
    }
  }
  return null;
}
