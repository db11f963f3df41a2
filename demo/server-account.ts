/**
 * Whom the server runs as, and the folders it needs. PostgreSQL refuses to run as root, so under root it runs as another
 * user, who must be able to reach the binaries and the data: a clone under /root is closed to everyone else.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterUs } from "./after-us.ts";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Under root: whom the server runs as. Undefined: as ourselves. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      const read = (flag: string): number => Number(execFileSync("id", [flag, name], { stdio: "pipe" }));
      return { uid: read("-u"), gid: read("-g") };
    } catch {
      // No such user: try the next.
    }
  }
  throw new Error("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as");
}

/** The wished directory, made if missing, or one under the temporary folder if the server's user cannot enter it. */
export function usableDataDir(wish: string, account: Account | undefined): string {
  mkdirSync(wish, { recursive: true, mode: 0o700 });
  if (account === undefined) return wish;
  chownSync(wish, account.uid, account.gid);
  if (canEnter(wish, account)) return wish;
  const instead = temporaryDir("damascus-data-", account);
  if (!canEnter(instead, account)) {
    throw new Error(`PostgreSQL's user (uid ${account.uid}) can enter neither ${wish} nor ${tmpdir()}`);
  }
  cpSync(wish, instead, { recursive: true, verbatimSymlinks: true });
  return instead;
}

function canEnter(directory: string, account: Account): boolean {
  return spawnSync("/bin/sh", ["-c", 'cd "$0"', directory], { ...account, cwd: "/" }).status === 0;
}

let cleaner: ReturnType<typeof afterUs> | undefined;

/** A fresh folder of the server's user, removed a moment after this process has ended (and its servers with it). */
export function temporaryDir(prefix: string, account: Account | undefined): string {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  if (account !== undefined) chownSync(directory, account.uid, account.gid);
  cleaner ??= afterUs('while IFS= read -r folder; do set -- "$@" "$folder"; done; sleep 1; rm -rf -- "$@"');
  cleaner.stdin.write(`${directory}\n`);
  return directory;
}

export function chownTree(directory: string, account: Account): void {
  chownSync(directory, account.uid, account.gid);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) chownTree(path, account);
    else if (entry.isFile()) chownSync(path, account.uid, account.gid);
  }
}
