/** Why a file cannot be read or written, in words. */

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is no folder",
  ENOSPC: "no space is left",
  EROFS: "the file system is read-only",
};

/** @param error of a function of `node:fs`; its code where there is no word for it. */
export function fileProblem(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return WORDS[code] ?? code;
}
