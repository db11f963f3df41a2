/** The status page while it stays open: new values come in place, and nothing else moves. */
import type { BrowserContext } from "playwright-core";
import { describe, expect, test } from "vitest";
import { ask, show, valuesIn, withBrowser } from "./browser.ts";
import { example, names } from "./example.ts";

withBrowser();

const clocked = (context: BrowserContext): Promise<void> => context.clock.install();

describe("while it stays open", () => {
  test("new values appear in place: no load, the fold stays open, the focus and the scrolling where they were", async () => {
    const daemon = example(names(3), 320);
    const { page, snapshot, complaints } = await show(daemon, {}, clocked);
    await ask(page, "globalThis.here = true");
    await page.locator("#charts summary").focus();
    await page.keyboard.press("Enter");
    await ask(page, "scrollTo(0, 300)");
    const top = "Math.round(document.activeElement.getBoundingClientRect().top)";
    const seen = await ask(page, top);
    const before = await page.locator(".seq").innerText();
    const chartsBefore = await page.locator("#now").evaluateHandle((node) => node);
    daemon.record(7);
    await page.clock.fastForward(5_000);
    await page.locator(".seq", { hasText: "327" }).waitFor();
    expect(before).toBe("320");
    expect(await valuesIn(page)).toMatchObject({
      first_pass_merge_rate: expect.arrayContaining([String((await snapshot()).metrics[0]?.value)]),
    });
    expect(await ask(page, "globalThis.here")).toBe(true);
    expect(await page.locator("#charts details").getAttribute("open")).toBe("");
    expect(await ask(page, "document.activeElement.tagName")).toBe("SUMMARY");
    expect(await ask(page, top)).toBe(seen);
    // What did not change was not touched.
    const charts = await page.locator("#now").evaluateHandle((node) => node);
    expect(await page.evaluate(([a, b]) => a === b, [chartsBefore, charts])).toBe(false);
    await page.clock.fastForward(5_000);
    const again = await page.locator("#now").evaluateHandle((node) => node);
    expect(await page.evaluate(([a, b]) => a === b, [charts, again])).toBe(true);
    expect(complaints).toStrictEqual([]);
  });

  test("a daemon that stops is reported, and the numbers stay", async () => {
    const { page, close } = await show(example(names(3), 60), {}, clocked);
    expect(await page.locator("#unreachable").isVisible()).toBe(false);
    await close();
    await page.clock.fastForward(5_000);
    await page.locator("#unreachable:visible").waitFor();
    expect(await page.locator("#unreachable").innerText()).toMatch(
      /^No answer from the daemon since \d\d:\d\d:\d\dZ/,
    );
    expect(await page.locator(".metric").count()).toBe(3);
  });

  test("everything can be reached by keyboard", async () => {
    const { page } = await show(example(names(40), 300));
    const reached = new Set<string>();
    for (let press = 0; press < 12; press += 1) {
      await page.keyboard.press("Tab");
      reached.add(
        await ask<string>(page, "document.activeElement.className || document.activeElement.tagName"),
      );
    }
    expect([...reached]).toEqual(expect.arrayContaining(["FIGURE", "INPUT", "name"]));
  });
});
