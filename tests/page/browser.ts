/** The page in a real browser, where one is installed: shown, asked, and looked at by axe. */
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { beforeAll, beforeEach, onTestFinished, vi } from "vitest";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { startHttp } from "../../src/http/server.ts";
import { findProgram } from "../support/programs.ts";
import type { example } from "./example.ts";

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

/** The shell has no window of its own to draw: half the processor time. */
const CHROMIUM = findProgram("chromium-headless-shell", "/usr/bin/chromium", "chromium");
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
let browser: Browser | null = null;

/** For a file of tests that need a browser: started once, and each test is skipped if it is not installed. */
export function withBrowser(): void {
  beforeAll(async () => {
    if (CHROMIUM === null) return;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    return () => browser?.close();
  }, 60_000);
  beforeEach((ctx) => {
    if (browser === null) ctx.skip("chromium is not installed");
  });
}

type Shown = {
  readonly page: Page;
  readonly address: string;
  readonly close: () => Promise<void>;
  /** What the browser complained of, and what it asked others for. */
  readonly complaints: string[];
  readonly snapshot: () => Promise<Snapshot>;
};

export async function show(
  { served }: Pick<ReturnType<typeof example>, "served">,
  options: Parameters<Browser["newContext"]>[0] = {},
  prepare: (context: BrowserContext) => Promise<void> = async () => undefined,
): Promise<Shown> {
  const service = await startHttp({ host: "127.0.0.1", port: 0 }, served, () => undefined);
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

/** The values of tiles and table, by metric; null if undefined. */
export function valuesIn(page: Page): Promise<Record<string, (string | null)[]>> {
  return page.evaluate(`Object.fromEntries(
    Object.entries(Object.groupBy(document.querySelectorAll("[data-metric]"), (place) => place.dataset.metric)).map(
      ([metric, places]) => [metric, places.map((place) => place.querySelector("data")?.getAttribute("value") ?? null)],
    ),
  )`);
}

/** Evaluates an expression in the page. */
export function ask<T = unknown>(page: Page, expression: string): Promise<T> {
  return page.evaluate(expression);
}

/** What axe finds. */
export async function violations(page: Page): Promise<string[]> {
  if (!(await ask<boolean>(page, '"axe" in globalThis'))) await page.evaluate(axe.source);
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
