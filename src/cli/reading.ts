/** What every verb does while it reads the log: it shows progress, and names the rows that the server cannot read. */
import type { UnreadableRow } from "../postgres/unreadable.ts";
import { count } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import type { Flags } from "./options.ts";
import { withProgress } from "./progress.ts";
import type { ReadOptions } from "./read-log.ts";
import type { Terminal } from "./terminal.ts";

/** Rows that are named one by one. */
const NAMED = 20;
const WIDTH = 200;

/**
 * Reads, then names the rows that were left out, also where reading failed.
 * @param what the verb does, such as "verifying".
 */
export async function reading<T>(
  what: string,
  { timeout: timeoutMs }: Flags,
  terminal: Terminal,
  read: (options: ReadOptions) => Promise<T>,
): Promise<T> {
  const rows: UnreadableRow[] = [];
  try {
    return await withProgress(what, terminal, (progress) =>
      read({ timeoutMs, progress, unreadable: (row) => rows.push(row) }),
    );
  } finally {
    for (const { id, reason } of rows.slice(0, NAMED))
      await terminal.err(`events_outbox row ${id} cannot be read and is left out (${safe(reason, WIDTH)})\n`);
    if (rows.length > NAMED) await terminal.err(`${count(rows.length - NAMED, "more row")} cannot be read\n`);
    if (rows.length > 0)
      await terminal.err(
        "the server's storage is damaged: restore these rows from a backup or delete them, and check its disks\n",
      );
  }
}
