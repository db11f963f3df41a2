/** The daemon with a mistake in it: a copy of src with some text replaced, to show that the tests would notice. */
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { DaemonCode } from "./daemon.ts";
import { scratchFolder } from "./scratch.ts";

export type Patch = {
  /** Under src. */
  readonly file: string;
  readonly replace: string | RegExp;
  readonly by: string;
};

export interface Mutant extends AsyncDisposable {
  readonly code: DaemonCode;
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * A copy of the product with these changes. Disposing of it removes the copy.
 * @throws Error when the source no longer has the text to replace: then the mistake has to be made elsewhere.
 */
export async function patchedTree(
  patches: readonly Patch[],
): Promise<AsyncDisposable & { readonly path: (file: string) => string }> {
  await using resources = new AsyncDisposableStack();
  const { path: folder } = resources.use(await scratchFolder("mutant"));
  for (const name of ["bin", "src", "config", "package.json"])
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const { file, replace, by } of patches) {
    const path = join(folder, "src", file);
    const text = await readFile(path, "utf8");
    const changed = text.replace(replace, () => by);
    if (changed === text) throw new Error(`src/${file} has no ${String(replace)} to replace`);
    await writeFile(path, changed);
  }
  const kept = resources.move();
  return { path: (file) => join(folder, "src", file), [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

export async function mutant(patches: readonly Patch[]): Promise<Mutant> {
  const tree = await patchedTree(patches);
  const load = (file: string): Promise<unknown> => import(pathToFileURL(tree.path(file)).href);
  const { Daemon } = (await load("recorder/daemon.ts")) as Pick<DaemonCode, "Daemon">;
  const { openLog } = (await load("postgres/open-log.ts")) as Pick<DaemonCode, "openLog">;
  return { code: { Daemon, openLog }, [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose]() };
}
