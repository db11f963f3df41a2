/** A configuration that is refused, and files for it to name. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { Failed } from "../../src/failed.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "metrics-config-"));
let files = 0;

afterAll(() => {
  rmSync(FOLDER, { recursive: true });
});

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

/** A file's path, until the tests of this file are over. */
export function temporaryFile(content: string): string {
  files += 1;
  const path = join(FOLDER, String(files));
  writeFileSync(path, content);
  return path;
}
