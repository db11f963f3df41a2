/** Folders that are thrown away again: in memory where the host lends enough of it, as files are made there much sooner. */
import { accessSync, constants, statfsSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterUs } from "../../demo/after-us.ts";

const MEMORY = "/dev/shm";
/** For a server whose log has grown, and for others beside it. */
const ENOUGH_BYTES = 4 * 2 ** 30;

export interface Scratch extends AsyncDisposable {
  /** Every user may pass through it: a server runs as its own. */
  readonly path: string;
}

/** A fresh folder. Disposing of it removes it; so does the end of this process, however it comes. */
export async function scratchFolder(name: string): Promise<Scratch> {
  const path = await mkdtemp(join(place(), `damascus-${name}-`));
  await chmod(path, 0o711);
  // A moment later: a server goes first.
  const guard = afterUs('read -r _; sleep 1; rm -rf -- "$0"', path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      guard.kill("SIGKILL");
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

function place(): string {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= ENOUGH_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}
