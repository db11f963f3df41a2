/** A configuration that is refused, and files for it to name. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failed } from "../../src/failed.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "metrics-config-"));
let files = 0;

// A worker runs several test files with this module.
process.once("exit", () => rmSync(FOLDER, { recursive: true }));

/** The problems of a configuration that is refused. */
export function problemsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof Failed) return error.message.split("\n");
    throw error;
  }
  throw new Error("it was accepted");
}

/** The path of a file that exists until the worker ends. */
export function temporaryFile(content: string): string {
  files += 1;
  const path = join(FOLDER, String(files));
  writeFileSync(path, content);
  return path;
}
