import { describe, expect, test } from "vitest";
import { ProgressLine } from "../../src/cli/progress-line.ts";
import { DATABASE, fakeTerminal } from "./fake-terminal.ts";

/** Tells each share at its time, in milliseconds from the start. */
async function told(
  steps: readonly (readonly [ms: number, share: number])[],
  setting: Parameters<typeof fakeTerminal>[0],
) {
  const { terminal, told: words } = fakeTerminal(setting);
  let now = 5_000;
  const progress = new ProgressLine("verifying", terminal, { monotonic: () => now });
  for (const [ms, share] of steps) {
    now = 5_000 + ms;
    progress.at(share);
  }
  await progress.end();
  return words.err.replaceAll("\x1b", "ESC");
}

describe("progress", () => {
  test("is a bar on a terminal, drawn over itself and taken away at the end", async () => {
    expect(
      await told(
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
    expect(await told(steps, setting)).toBe("verifying: 25%, 9 s left\nverifying: 50%, 6 s left\n");
  });

  test("makes no guess from next to nothing", async () => {
    expect(await told([[3100, 0.004]], {})).toBe("");
  });

  test("is not worth a word when the work is quick", async () => {
    expect(
      await told(
        [
          [100, 0.5],
          [200, 1],
        ],
        { errColumns: 80 },
      ),
    ).toBe("");
  });
});
