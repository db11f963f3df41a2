import { describe, expect, test } from "vitest";
import { runProgress, withProgress } from "../../src/cli/progress.ts";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import { DATABASE, fakeTerminal } from "./fake-terminal.ts";

/** What a terminal gets that hears of each share at its time, in milliseconds from the start. */
async function shown(
  steps: readonly (readonly [ms: number, share: number])[],
  setting: Parameters<typeof fakeTerminal>[0],
) {
  const { terminal, written } = fakeTerminal(setting);
  let now = 5_000;
  const clock = { monotonic: () => now };
  const work = async (progress: (share: number) => void) => {
    for (const [ms, share] of steps) {
      now = 5_000 + ms;
      progress(share);
    }
  };
  await withProgress("verifying", terminal, work, clock);
  return written.err.replaceAll("\x1b", "ESC");
}

describe("a command's progress", () => {
  test("is a bar on a terminal, drawn over itself and erased at the end", async () => {
    expect(
      await shown(
        [
          [600, 0.25],
          [650, 0.26],
          [1200, 0.5],
        ],
        { errColumns: 80 },
      ),
    ).toBe(
      "\rESC[Kverifying [######..................]  25%, 2 s left\rESC[Kverifying [############............]  50%, 1 s left\rESC[K",
    );
  });

  test.each([
    ["is a line every few seconds elsewhere", {}],
    [
      "is a line where a terminal has no cursor to move",
      { errColumns: 80, env: { ...DATABASE, TERM: "dumb" } },
    ],
  ])("%s", async (_, setting) => {
    const steps = [
      [600, 0.1],
      [3100, 0.25],
      [4000, 0.3],
      [6200, 0.5],
    ] as const;
    expect(await shown(steps, setting)).toBe("verifying: 25%, 9 s left\nverifying: 50%, 6 s left\n");
  });

  test("gives no estimate from a tiny share", async () => {
    expect(await shown([[3100, 0.004]], {})).toBe("");
  });

  test("prints nothing when the work is quick", async () => {
    expect(
      await shown(
        [
          [100, 0.5],
          [200, 1],
        ],
        { errColumns: 80 },
      ),
    ).toBe("");
  });
});

const progress = (event: "restore.progress" | "backlog.progress", done: number): DaemonEvent => ({
  event,
  done,
  total: 400,
  per_second: 100,
  eta_s: (400 - done) / 100,
  recorded: 0,
});
const RESTORED: DaemonEvent = {
  event: "restore.completed",
  seq: 4,
  merges: 4,
  from_checkpoint: null,
  projects: 1,
  skipped: 0,
  took_ms: 4000,
};
const SKIPPED: DaemonEvent = {
  event: "merge.skipped",
  event_id: "7",
  work_item_id: null,
  reason: "work_item_missing",
};

/** What a screen gets that shows both the log and the bar, or the bar alone. */
function screen(events: readonly DaemonEvent[], { logOnScreen = true, errColumns = 80 } = {}): string {
  const { terminal, written } = fakeTerminal({ errColumns });
  const run = runProgress(terminal, logOnScreen);
  for (const event of events)
    run(event, () => {
      written.err += `<${event.event}>\n`;
    });
  return written.err.replaceAll("\r\x1b[K", "ERASE ");
}

describe("the daemon's progress on a terminal", () => {
  test("is a bar that is drawn over itself, in place of log lines, and gone when the work is done", () => {
    expect(screen([progress("restore.progress", 100), progress("restore.progress", 200), RESTORED])).toBe(
      "ERASE reading the log [######..................]  25%, 3 s left" +
        "ERASE reading the log [############............]  50%, 2 s left" +
        "ERASE <restore.completed>\n",
    );
  });

  test("stays below the log lines that come meanwhile", () => {
    expect(screen([progress("backlog.progress", 100), SKIPPED])).toBe(
      "ERASE recording [######..................]  25%, 3 s left" +
        "ERASE <merge.skipped>\n" +
        "ERASE recording [######..................]  25%, 3 s left",
    );
  });

  test("leaves the log whole where that goes elsewhere", () => {
    const there = screen([progress("backlog.progress", 100), SKIPPED, RESTORED], { logOnScreen: false });
    expect(there).toBe(
      "<backlog.progress>\nERASE recording [######..................]  25%, 3 s left" +
        "<merge.skipped>\nERASE <restore.completed>\n",
    );
  });

  test("goes when the work is cut off", () => {
    for (const event of [
      { event: "shutdown.started", signal: "SIGTERM" },
      { event: "db.disconnected", failure: { code: "57P01", message: "" }, attempt: 1, retry_in_ms: 1 },
    ] as const)
      expect(screen([progress("backlog.progress", 100), event, SKIPPED])).toMatch(
        /leftERASE <[a-z._]+>\n<merge.skipped>\n$/,
      );
  });

  test("prints nothing if the work is quick, and is no wider than the terminal", () => {
    expect(screen([RESTORED, SKIPPED])).toBe("<restore.completed>\n<merge.skipped>\n");
    expect(screen([progress("restore.progress", 100)], { errColumns: 20 })).toBe("ERASE reading the log [##");
  });
});
