/** What a daemon's log answers, as the scripts of `reality.ts` write it. */

import { BEFORE_ALL, LARGEST_ID } from "../../src/core/event-id.ts";
import type { RawJournalRow } from "../../src/core/journal-row.ts";
import type { FoundMerge, OutboxLog } from "../../src/outbox/outbox-log.ts";
import type { Line } from "./reality.ts";

/** @param lettersOf names transactions by their sessions. */
export async function logAnswer(
  log: OutboxLog,
  { command, argument }: Line,
  lettersOf: (names: Iterable<string>) => string | Promise<string>,
): Promise<string> {
  const [first = 0n, second = 0n] = argument.split(" ").filter(Boolean).map(BigInt);
  switch (command) {
    case "poll": {
      const polled = await log.poll({
        lastApplied: null,
        after: first,
        appliedPosition: second,
        firstRow: null,
      });
      const { newest, drawn, holders, found, readUpTo, peerWrites } = polled;
      return (
        `newest ${newest === BEFORE_ALL ? "none" : newest}, drawn ${drawn}, holders ${await lettersOf(holders)}, ` +
        `found ${mergesText(found)} up to ${readUpTo}, peer writes ${peerWrites ? "yes" : "no"}`
      );
    }
    case "merges":
      return mergesText(await log.merges(first, second), ", ");
    case "journal":
      return journalText(await log.journal(first, second));
    case "newest journal":
      return journalText(await log.newestJournal(Number(first), LARGEST_ID));
    case "since":
      return journalText((await log.journalSince(null, first)).rows);
    case "recorded events":
      return listed(await log.recordedEvents(first, second));
    case "other merges": {
      const merge = { eventId: String(first), workItemId: itemIn(log, second) };
      return listed([...((await log.otherMerges([merge])).get(merge.eventId) ?? [])]);
    }
    case "newest":
      return String(await log.newest());
    case "oldest":
      return String(await log.oldest());
    case "drawn":
      return String(await log.drawn());
    case "append": {
      const { ids } = await log.append([skip(String(first), itemIn(log, first))]);
      last.set(log, ids.at(-1) ?? 0n);
      return listed(ids);
    }
    case "commit":
      return (await log.commit(last.get(log) ?? 0n)) === null
        ? "committed, but the row is not there"
        : "committed";
    case "rollback":
      await log.rollback();
      return "";
    default:
      throw new Error(`no command of a log: ${command}`);
  }
}

/** The writers' transaction with its fence: the journal's rows after an id, as a statement after the lock's sees them. */
export async function fenceAnswer(log: OutboxLog, { argument }: Line): Promise<string> {
  const { rows } = await log.beginFenced({ id: argument, fingerprint: "" }, BigInt(argument));
  return journalText(rows);
}

/** The last row that was appended. */
const last = new WeakMap<OutboxLog, bigint>();

/** The simulated server's work items have names of their own. */
function itemIn(log: OutboxLog, item: bigint): string {
  return "wire" in log ? `item-${item}` : String(item);
}

function skip(eventId: string, workItemId: string): Parameters<OutboxLog["append"]>[0][number] {
  const payload = {
    schema_version: 1,
    key: `merge_skipped|${eventId}`,
    reason: "attempts_invalid",
    merge: { event_id: eventId, work_item_id: workItemId },
    producer: "reality",
  } as const;
  return { kind: "metric.merge_skipped", workItemId, payload };
}

function mergesText(merges: readonly FoundMerge[], separator = " "): string {
  const texts = merges.map(
    ({ eventId, workItemId, recordedAs }) =>
      `${eventId}:${workItemId?.replace("item-", "") ?? "none"}${recordedAs === null ? "" : ` recorded as ${recordedAs}`}`,
  );
  return texts.length === 0 ? "none" : texts.join(separator);
}

function journalText(rows: readonly RawJournalRow[]): string {
  return rows.length === 0 ? "none" : rows.map(({ id, kind }) => `${id} ${kind}`).join(", ");
}

function listed(values: readonly unknown[]): string {
  return values.length === 0 ? "none" : values.map(String).join(" ");
}
