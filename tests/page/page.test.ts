import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { startHttp } from "../../src/http/server.ts";
import { percent } from "../../src/text/figures.ts";
import { safe } from "../../src/text/safe.ts";
import { findProgram } from "../support/programs.ts";
import { example, names } from "./example.ts";

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

const CHROMIUM = findProgram("/usr/bin/chromium", "chromium");
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const HOSTILE = [
  '<img src=x onerror="document.title=1">',
  '"></td><script>document.title=1</script>',
  "evil\u202etxt\u0007\n\u001b[2J",
  "&lt;b&gt;",
  "__proto__",
  "x".repeat(512),
];

let browser: Browser | null = null;

beforeAll(async () => {
  if (CHROMIUM !== null) browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}, 60_000);
afterAll(() => browser?.close());
beforeEach((ctx) => {
  if (browser === null) ctx.skip("chromium is not installed");
});

type Shown = {
  readonly page: Page;
  readonly address: string;
  readonly close: () => Promise<void>;
  /** What the browser complained of, and what it asked others for. */
  readonly complaints: string[];
  readonly snapshot: () => Promise<Snapshot>;
};

async function show(
  { ports }: Pick<ReturnType<typeof example>, "ports">,
  options: Parameters<Browser["newContext"]>[0] = {},
  prepare: (context: BrowserContext) => Promise<void> = async () => undefined,
): Promise<Shown> {
  const service = await startHttp({ host: "127.0.0.1", port: 0 }, ports, () => undefined);
  const context = await (browser as Browser).newContext({
    viewport: { width: 1600, height: 900 },
    ...options,
  });
  onTestFinished(async () => {
    await context.close();
    await service.close();
  });
  await prepare(context);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(service.address) && !request.url().startsWith("data:"))
      complaints.push(request.url());
  });
  await page.goto(service.address);
  const snapshot = async (): Promise<Snapshot> =>
    (await (await fetch(`${service.address}/snapshot.json`)).json()) as Snapshot;
  return { page, address: service.address, close: service.close, complaints, snapshot };
}

/** What stands in the tiles and the table, by metric; null where the page says that it is undefined. */
function valuesIn(page: Page): Promise<Record<string, (string | null)[]>> {
  return page.evaluate(`Object.fromEntries(
    Object.entries(Object.groupBy(document.querySelectorAll("[data-metric]"), (place) => place.dataset.metric)).map(
      ([metric, places]) => [metric, places.map((place) => place.querySelector("data")?.getAttribute("value") ?? null)],
    ),
  )`);
}

/** Evaluates an expression in the page. */
function ask<T = unknown>(page: Page, expression: string): Promise<T> {
  return page.evaluate(expression);
}

function sorted(values: readonly (string | null)[]): string[] {
  return values.map(String).toSorted();
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations: found } = await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run({ resultTypes: ["violations"] }),
  );
  return found.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .map(({ html }) => html)
        .join(" ")
        .slice(0, 300)}`,
  );
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

  test("nothing stands in the way of whoever reads it: light or dark, 320 or 1600 pixels", {
    timeout: 60_000,
  }, async () => {
    const { page, complaints } = await show(example(names(projects), merges));
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [320, 1600]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await ask(page, "document.documentElement.scrollWidth")).toBe(width);
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

const clocked = (context: BrowserContext): Promise<void> => context.clock.install();

describe("while it stays open", () => {
  test("new values appear in place: no load, the fold stays open, the focus and the scrolling where they were", async () => {
    const daemon = example(names(40), 120);
    const { page, snapshot, complaints } = await show(daemon, {}, clocked);
    await ask(page, "globalThis.here = true");
    await page.locator("#projects summary").focus();
    await page.keyboard.press("Enter");
    await ask(page, "scrollTo(0, 300)");
    const before = await page.locator(".seq").innerText();
    const chartsBefore = await page.locator("#charts").evaluateHandle((node) => node);
    daemon.record(7);
    await page.clock.fastForward(5_000);
    await page.locator(".seq", { hasText: "127" }).waitFor();
    expect(before).toBe("120");
    expect(await valuesIn(page)).toMatchObject({
      first_pass_merge_rate: expect.arrayContaining([String((await snapshot()).metrics[0]?.value)]),
    });
    expect(await ask(page, "globalThis.here")).toBe(true);
    expect(await page.locator("#projects details").getAttribute("open")).toBe("");
    expect(await ask(page, "document.activeElement.tagName")).toBe("SUMMARY");
    expect(await ask(page, "scrollY")).toBe(300);
    // What did not change was not touched.
    const charts = await page.locator("#charts").evaluateHandle((node) => node);
    expect(await page.evaluate(([a, b]) => a === b, [chartsBefore, charts])).toBe(false);
    await page.clock.fastForward(5_000);
    const again = await page.locator("#charts").evaluateHandle((node) => node);
    expect(await page.evaluate(([a, b]) => a === b, [charts, again])).toBe(true);
    expect(complaints).toStrictEqual([]);
  });

  test("a daemon that goes away is told of, and the numbers stay", async () => {
    const { page, close } = await show(example(names(3), 60), {}, clocked);
    expect(await page.locator("#away").isVisible()).toBe(false);
    await close();
    await page.clock.fastForward(5_000);
    await page.locator("#away:visible").waitFor();
    expect(await page.locator("#away").innerText()).toMatch(/^No answer since \d\d:\d\d:\d\dZ/);
    expect(await page.locator(".tile").count()).toBe(3);
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
    expect([...reached]).toEqual(expect.arrayContaining(["scroll", "SUMMARY", "A"]));
  });
});
