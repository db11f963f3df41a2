/** A file that a setting names: its text or secret, or why it cannot be read or written. */
import { readFileSync } from "node:fs";
import { shown } from "./shown.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is not a folder",
  ENOSPC: "no space is left",
  EROFS: "the file system is read-only",
};

/** @param error of a function of `node:fs`. @returns a reason in words, else its code. */
export function fileProblem(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return WORDS[code] ?? code;
}

/** @param setting what names the path. @param problems collects what is wrong. */
export function readNamedFile(path: string, setting: string, problems: string[]): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    problems.push(`${setting} is ${shown(path)}: the file cannot be read (${fileProblem(error)})`);
    return null;
  }
}

/**
 * A secret from the environment, or from the file that `<name>_FILE` names; undefined if it is not set, or cannot be used.
 * @param problems collects what is wrong. The secret never appears there.
 */
export function readSecret(env: NodeJS.ProcessEnv, name: string, problems: string[]): string | undefined {
  const variable = `${name}_FILE`;
  const file = env[variable];
  if (file === undefined) return env[name];
  if (env[name]) {
    problems.push(`${name} and ${variable} are both set: keep one of them`);
  } else if (file.trim() === "") {
    problems.push(`${variable} is empty: it must be the path of a file that holds ${name}, or not be set`);
  } else {
    const secret = readNamedFile(file, variable, problems)?.replace(/\r?\n$/, "");
    if (secret?.trim() === "")
      problems.push(`${variable} is ${shown(file)}: the file is empty, it must hold ${name}`);
    else return secret;
  }
  return undefined;
}
