/** The package as `npm install --global` leaves it, for the tests and the benchmark of what is shipped. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SERVICE, VERSION } from "../src/version.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export interface InstalledPackage extends AsyncDisposable {
  /** The file behind the command `metrics`. */
  readonly entry: string;
  [Symbol.asyncDispose](): Promise<void>;
}

function npm(...args: readonly string[]): Promise<unknown> {
  return promisify(execFile)("npm", args, { cwd: ROOT });
}

/** Builds, packs and installs it in a folder of its own. Nothing is downloaded. Disposing removes the folder. */
export async function installPackage(): Promise<InstalledPackage> {
  const folder = await mkdtemp(join(tmpdir(), "damascus-package-"));
  const remove = () => rm(folder, { recursive: true });
  try {
    await npm("pack", "--pack-destination", folder);
    await npm("install", "--global", "--offline", "--prefix", folder, `${folder}/${SERVICE}-${VERSION}.tgz`);
  } catch (error) {
    await remove();
    throw error;
  }
  const entry = join(folder, "lib/node_modules", SERVICE, "bin/metrics.js");
  return { entry, [Symbol.asyncDispose]: remove };
}
