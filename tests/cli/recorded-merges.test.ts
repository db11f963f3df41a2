/** The recorded merges page by page, while retention takes rows from the old end between two pages. */
import { describe, expect, it } from "vitest";
import { foldRecorded } from "../../src/cli/fold-recorded.ts";
import { type LogAccess, shareOf } from "../../src/cli/read-log.ts";
import type { RawJournalRow } from "../../src/core/journal-row.ts";
import type { JournalReader } from "../../src/outbox/outbox-log.ts";
import type { Answer } from "../../src/postgres/connection.ts";
import { CLEAN, history, journal, record, SMALL, times } from "../core/build.ts";

const ROWS = journal(record(history(times(40, CLEAN)), SMALL).rows);
const PAGE = 12;

const answer = (...ids: string[]): Answer => ({
  rows: ids.map((id) => ({ row_id: id })),
  command: "SELECT",
});

/** A log in memory. @param between happens after each page that was read, with the rows that there are. */
function logOf(start: readonly RawJournalRow[], between: (page: number) => readonly RawJournalRow[] | null) {
  let rows = start;
  let pages = 0;
  const within = (after: bigint, upTo: bigint) =>
    rows.filter(({ id }) => BigInt(id) > after && BigInt(id) <= upTo);
  const access = {
    names: { outbox: "events_outbox" },
    query: async (text: string) => {
      const id = /e\.id = (\d+)/.exec(text)?.[1];
      return answer(...rows.filter((row) => row.id === id).map((row) => row.id));
    },
    reader: {
      oldest: async () => BigInt(rows[0]?.id ?? 0),
      pageEnd: async (after: bigint, upTo: bigint) => BigInt(within(after, upTo)[PAGE - 1]?.id ?? upTo),
      journal: async (after: bigint, upTo: bigint) => {
        const read = within(after, upTo);
        pages += 1;
        rows = between(pages) ?? rows;
        return read;
      },
    } as unknown as JournalReader,
  } as unknown as LogAccess;
  return { access, pages: () => pages };
}

/** The seqs that are folded, in all walks and in the last one. */
async function folded(access: LogAccess) {
  const walks: number[][] = [];
  await foldRecorded(
    access,
    BigInt(ROWS.at(-1)?.id ?? 0),
    () => undefined,
    () => {
      const seqs: number[] = [];
      walks.push(seqs);
      return {
        result: seqs,
        take: ({ seq }) => seqs.push(seq ?? 0),
      };
    },
  );
  return walks;
}

const from = (seq: number) => Array.from({ length: 41 - seq }, (_, index) => seq + index);

describe("a fold of the recorded merges", () => {
  it("walks once if nothing is missing", async () => {
    expect(await folded(logOf(ROWS, () => null).access)).toStrictEqual([from(1)]);
  });

  it("walks once if only rows that were read are deleted", async () => {
    const { access } = logOf(ROWS, (page) => (page === 3 ? ROWS.slice(2 * PAGE) : null));
    expect(await folded(access)).toStrictEqual([from(1)]);
  });

  it("begins anew where rows went that it has not read", async () => {
    const first = ROWS.findIndex(({ payload }) => payload?.includes('"seq":30,'));
    const { access } = logOf(ROWS, (page) => (page === 2 ? ROWS.slice(first) : null));
    expect((await folded(access)).at(-1)).toStrictEqual(from(30));
  });

  it("takes a gap for one of the log's where the beginning is still there", async () => {
    const gap = ROWS.filter(({ payload }) => payload?.includes('"seq":20,') !== true);
    expect(await folded(logOf(gap, () => null).access)).toStrictEqual([from(1).filter((seq) => seq !== 20)]);
  });

  it("takes a gap for one of the log's where it is found again, whatever goes from the beginning", async () => {
    const gap = ROWS.filter(({ payload }) => payload?.includes('"seq":20,') !== true);
    const { access } = logOf(gap, (page) => gap.slice(4 * Math.min(page, 8)));
    const walks = await folded(access);
    expect(walks).toHaveLength(2);
    expect(walks.at(-1)).toContain(40);
  });
});

it("a share of the way is within 0 and 1, whatever the ids", () => {
  expect(shareOf(-5n, -10n, 0n)).toBe(0.5);
  expect(shareOf(3n, 3n, 3n)).toBe(1);
  expect(shareOf(2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n - 1n)).toBe(1);
});
