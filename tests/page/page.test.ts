/** What the status page shows, to whomever and on whatever screen. */
import { describe, expect, test } from "vitest";
import { percent } from "../../src/text/figures.ts";
import { safe } from "../../src/text/safe.ts";
import { ask, show, valuesIn, violations, withBrowser } from "./browser.ts";
import { example, names } from "./example.ts";

const HOSTILE = [
  '<img src=x onerror="document.title=1">',
  '"></td><script>document.title=1</script>',
  "evil\u202etxt\u0007\n\u001b[2J",
  "&lt;b&gt;",
  "__proto__",
  "x".repeat(512),
];

withBrowser();

function sorted(values: readonly (string | null)[]): string[] {
  return values.map(String).toSorted();
}

describe.for([
  ["no project", 0, 0],
  ["three projects", 3, 286],
  ["two hundred projects", 200, 900],
] as const)("with %s", ([, projects, merges]) => {
  test("the values are those of /snapshot.json, as numbers and as people read them", async () => {
    const { page, snapshot, complaints } = await show(example(names(projects), merges));
    const { metrics } = await snapshot();
    const values = await valuesIn(page);
    for (const [metric, readings] of Map.groupBy(metrics, (one) => one.metric)) {
      const told = readings.map(({ value }) => (value === null ? null : String(value)));
      expect(values[metric]?.[0]).toBe(told[0]);
      expect(sorted(values[metric] ?? [])).toStrictEqual(sorted(told));
    }
    for (const { metric, value, numerator, n, window, gate } of metrics.filter(
      ({ scope }) => scope === "global",
    )) {
      const text = (await page.locator(`.tile[data-metric=${metric}]`).innerText()).replaceAll(/\s+/g, " ");
      const ratio = numerator !== null;
      expect(text).toContain(value === null ? "undefined" : ratio ? percent(value) : String(value));
      expect(text).toContain(`n=${n}/${window}`);
      expect(text).toContain(
        gate === null
          ? "no gate"
          : `${gate.name} ${{ high: "▲ HIGH", low: "▼ LOW", unknown: "○ UNKNOWN" }[gate.state]}`,
      );
    }
    expect(await page.locator("tbody tr").count()).toBe(projects);
    expect(complaints).toStrictEqual([]);
  });

  test("nothing stands in the way of whoever reads it: light or dark, 320 or 1600 pixels", async () => {
    const { page, complaints } = await show(example(names(projects), merges));
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [320, 1600]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await ask(page, "document.documentElement.scrollWidth")).toBe(width);
        // More projects are more rows of the same: there each scheme and each width once, not every pair of them.
        if (projects > 3 && (colorScheme === "light") !== (width === 320)) continue;
        expect(await violations(page)).toStrictEqual([]);
      }
    }
    expect(complaints).toStrictEqual([]);
  });
});

describe("what it shows", () => {
  test("each merge as a cell with a character, each crossing, each chart with its gaps and bounds in words", async () => {
    const { page } = await show(example(names(3), 286));
    const history = example(names(3), 286).ports.history();
    expect(await page.locator(".cells .cell").count()).toBe(100);
    const last = (history?.merges ?? [])
      .slice(-100)
      .map((merge) => (merge.rebase_conflict ? "C" : String(merge.attempts)));
    expect(await page.locator(".cells .cell > span[aria-hidden]").allInnerTexts()).toStrictEqual(last);
    expect(await page.locator(".crossings li").count()).toBe(history?.crossings.length);
    const described = await page.locator(".wide desc").allTextContents();
    expect(described[0]).toMatch(
      /The gate rises at 85% and falls below 70%; it crossed 3 times here and is high now/,
    );
    expect(await page.locator(".narrow svg:visible").count()).toBe(0);
  });

  test("the rate of each project that has one, behind a fold that says where they stand, and the others in a sentence", async () => {
    const { page } = await show(example(names(4), 1000));
    const { series } = example(names(4), 1000).ports.history() ?? { series: [] };
    const own = series.filter(({ project, points }) => project !== null && points.at(-1)?.value != null);
    expect(own.map(({ project }) => project)).toStrictEqual(["atlas"]);
    const fold = page.locator("#charts details");
    expect(await fold.getAttribute("open")).toBeNull();
    expect(await fold.locator("summary").innerText()).toMatch(
      /^Rebase conflict rate by project: 1\s+(▲ HIGH|▼ LOW)$/,
    );
    expect(await fold.locator("svg:visible").count()).toBe(0);
    await fold.locator("summary").click();
    expect(await fold.locator("svg:visible").count()).toBe(1);
    expect(await fold.locator("desc").allTextContents()).toStrictEqual([
      expect.stringMatching(/^Merges 6\d\d to 75\d: .*The gate rises at 10% and falls below 5%/),
    ]);
    expect(await fold.innerText()).toContain("3 further busy projects without a full window");
    expect(await violations(page)).toStrictEqual([]);
  });

  test("a daemon that does not record says why, with 503 and without numbers", async () => {
    const failing = example([], 0, []).ports;
    const { page, address } = await show({
      ports: { ...failing, snapshot: () => null, history: () => null },
    });
    expect((await fetch(address)).status).toBe(503);
    expect(await page.title()).toMatch(/^NOT RECORDING/);
    expect(await page.locator("#state").innerText()).toMatch(/not recording[^]*restore: starting/);
    expect(await page.locator("[data-metric]").count()).toBe(0);
    expect(await violations(page)).toStrictEqual([]);
  });

  test("hostile names are text, and harmless", async () => {
    const { page, complaints } = await show(example(HOSTILE, 400), { viewport: { width: 320, height: 900 } });
    expect(await page.locator("img, td script, iframe").count()).toBe(0);
    expect(await page.title()).toContain("Damascus metrics");
    const told = await page.locator("tbody th").allTextContents();
    expect(told.toSorted()).toStrictEqual(HOSTILE.map((one) => safe(one)).toSorted());
    await page.locator("#charts summary").click();
    expect(await page.locator("#charts details h3").allTextContents()).toStrictEqual([
      safe(HOSTILE[0] ?? ""),
    ]);
    expect(await ask(page, "document.documentElement.scrollWidth")).toBe(320);
    expect(await violations(page)).toStrictEqual([]);
    expect(complaints).toStrictEqual([]);
  });

  test("thousands of projects do not make the page endless: the busiest are shown, the others counted", async () => {
    const { page } = await show(example(names(1000), 3000));
    expect(await page.locator("tbody tr").count()).toBe(400);
    expect(await page.locator("#projects").innerText()).toContain("600 further ones are in /snapshot.json");
    expect((await page.content()).length).toBeLessThan(400_000);
  });

  test("it works without scripts, and loads itself again", async () => {
    const { page, complaints } = await show(example(names(3), 286), { javaScriptEnabled: false });
    expect(await page.locator(".tile").count()).toBe(3);
    expect(await page.content()).toContain('http-equiv="refresh"');
    expect(complaints).toStrictEqual([]);
  });

  test("a script that somebody slipped in does not run", async () => {
    const { page } = await show(example(names(3), 60));
    await ask(
      page,
      `{ const script = document.createElement("script"); script.textContent = "document.title = 'slipped'"; document.body.append(script); }`,
    );
    expect(await page.title()).not.toBe("slipped");
  });
});
