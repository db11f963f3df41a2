/** Rows that the server cannot read, named on standard error beside what a command made of the others. */
import type { LeaveOut, UnreadableRow } from "../postgres/unreadable.ts";
import { count } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import type { Terminal } from "./terminal.ts";

const NAMED = 20;
const WIDTH = 200;

/** Does the work, and names the rows that it left out, also where it fails. */
export async function namingUnreadable<T>(
  { err }: Pick<Terminal, "err">,
  work: (unreadable: LeaveOut) => Promise<T>,
): Promise<T> {
  const rows: UnreadableRow[] = [];
  try {
    return await work((row) => rows.push(row));
  } finally {
    for (const { id, reason } of rows.slice(0, NAMED))
      await err(`events_outbox row ${id} cannot be read and is left out (${safe(reason, WIDTH)})\n`);
    if (rows.length > NAMED) await err(`${count(rows.length - NAMED, "more row")} cannot be read\n`);
    if (rows.length > 0)
      await err(
        "the server's storage is damaged there: restore these rows from a backup or delete them, and check its disks\n",
      );
  }
}
