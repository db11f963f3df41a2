import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../../src/config.ts";

/** The problems of a configuration that is refused. */
export function problemsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error("it was accepted");
}

export function temporaryFile(content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "metrics-config-")), "file");
  writeFileSync(path, content);
  return path;
}
