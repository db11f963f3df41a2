import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { main } from "../../src/cli/program.ts";
import type { Verbs } from "../../src/cli/verbs.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { fakeTerminal, NOBODY } from "./fake-terminal.ts";
import { snapshotWith } from "./snapshot-example.ts";

const AWAY = Object.assign(new Error("the database cannot be reached\nreally \x1b[2J"), { exitCode: 3 });

/** Watches through so many looks; each gives a snapshot or fails. Then it is interrupted. */
async function watch(
  args: string,
  looks: readonly (Snapshot | Error)[],
  setting: Parameters<typeof fakeTerminal>[0] = {},
) {
  const interruption = new AbortController();
  const { terminal, told } = fakeTerminal({ ...setting, interruption: interruption.signal });
  let count = 0;
  const listeners: number[] = [];
  const readSnapshot: Verbs["readSnapshot"] = async () => {
    const seen = looks[count];
    listeners.push(getEventListeners(interruption.signal, "abort").length);
    count += 1;
    if (seen === undefined) {
      interruption.abort();
      return new Promise(() => undefined);
    }
    if (seen instanceof Error) throw seen;
    return seen;
  };
  const code = await main("metrics", ["snapshot", ...args.split(" ")], terminal, { ...NOBODY, readSnapshot });
  return { code, ...told, count, listeners };
}

const at = (seq: number) => snapshotWith({ as_of: { ...snapshotWith().as_of, seq } });

describe("snapshot --watch", () => {
  test("appends each look where it is piped, and ends with 0 when interrupted", async () => {
    const { code, out, err } = await watch("--watch=100ms", [at(1), at(2)]);
    expect(code).toBe(0);
    expect(out.match(/^first_pass_merge_rate/gm)).toHaveLength(2);
    expect(err.match(/^as of merge \d/gm)).toStrictEqual(["as of merge 1", "as of merge 2"]);
  });

  test("leaves nothing behind with each look, however long it goes on", async () => {
    const { listeners } = await watch("--watch=100ms", [at(1), at(2), at(3)]);
    expect(listeners).toStrictEqual([0, 0, 0, 0]);
  });

  test("with -o jsonl appends a document in each line", async () => {
    const { out, err } = await watch("--watch=100ms -o jsonl", [at(1), at(2)]);
    const seqs = out
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as Snapshot).as_of.seq);
    expect([seqs, err]).toStrictEqual([[1, 2], ""]);
  });

  test("draws over the screen in one write, without clearing it, and leaves it as it was", async () => {
    const { out } = await watch("--watch=100ms", [at(1), at(2)], { columns: 80, rows: 24 });
    const visible = out.replaceAll("\x1b", "ESC");
    expect(visible).toMatch(/^ESC\[\?1049hESC\[\?25lESC\[2JESC\[Hfirst_pass/);
    expect(visible.split("ESC[2J")).toHaveLength(2);
    expect(visible).toMatch(/ESC\[K\r\nESC\[JESC\[H[^]*merge 2 /);
    expect(visible).toMatch(/ESC\[\?25hESC\[\?1049lfirst_pass[^]*as of merge 2 [^]*$/);
  });

  test("shows no more lines than the screen has, and the last one in any case", async () => {
    const { out } = await watch("--watch=100ms", [at(1)], { columns: 200, rows: 6 });
    const drawn = out.slice(0, out.indexOf("\x1b[?1049l"));
    expect(drawn.split("\r\n")).toHaveLength(6);
    expect(drawn).toMatch(/the screen has no room for the rest[^]*as of merge 1 /);
  });

  test("counts a line that is wider than the screen as several", async () => {
    const { out } = await watch("--watch=100ms", [at(1)], { columns: 40, rows: 10 });
    const drawn = out.slice(0, out.indexOf("\x1b[?1049l"));
    expect(drawn.split("\r\n").length).toBeLessThan(8);
    expect(drawn).toContain("as of merge 1 ");
  });

  test("survives a database that goes away, by saying so once, and when it is back", async () => {
    const { code, out, err } = await watch("--watch=100ms", [at(1), AWAY, AWAY, at(2)]);
    expect(code).toBe(0);
    expect(out.match(/^first_pass/gm)).toHaveLength(2);
    expect(err.split("\n")).toStrictEqual([
      expect.stringMatching(/^as of merge 1 /),
      expect.stringMatching(/^since 20.*: the database cannot be reached; really \\x1b\[2J$/),
      "the database is available again",
      expect.stringMatching(/^as of merge 2 /),
      "",
    ]);
  });

  test("keeps the last values on the screen meanwhile", async () => {
    const { out } = await watch("--watch=100ms", [at(7), AWAY], { columns: 80, rows: 24 });
    const drawn = out.slice(out.lastIndexOf("\x1b[H"), out.indexOf("\x1b[?25h"));
    expect(drawn).toContain("as of merge 7 ");
    expect(drawn).toContain("the database cannot be reached");
  });

  test("ends when what is wrong will not pass", async () => {
    const { code, err } = await watch("--watch", [new Error("a mistake of ours")]);
    expect([code, err]).toStrictEqual([1, "metrics: unexpected failure: a mistake of ours\n"]);
  });

  test("ends quietly when nobody reads any more", async () => {
    expect((await watch("--watch", [at(1)], { readerGone: true })).code).toBe(0);
  });

  test.each([["--watch=1ms"], ["--watch=x"], ["--watch --require-defined"], ["--watch --at 5"], ["--at x"]])(
    "%s is a usage error",
    async (args) => {
      expect(await watch(args, [])).toMatchObject({ code: 2, out: "", count: 0 });
    },
  );
});
