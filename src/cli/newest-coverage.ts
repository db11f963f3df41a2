/** What the newest checkpoint that is left says is recorded. */
import { parseCheckpoint } from "../core/checkpoint.ts";
import { type Coverage, readCoverage } from "../core/coverage.ts";
import type { LogAccess } from "./read-log.ts";

/** @returns null where no checkpoint is left that can be read. */
export async function newestCoverage({ reader }: LogAccess): Promise<Coverage | null> {
  for await (const { rowId } of reader.checkpoints(await reader.newest())) {
    const checkpoint = parseCheckpoint(await reader.checkpoint(rowId));
    if (typeof checkpoint !== "string") return readCoverage(checkpoint);
  }
  return null;
}
