/** What the status page shows, for every reader and screen. */
import type { BrowserContext } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import { percent } from "../../src/text/figures.ts";
import { safe } from "../../src/text/safe.ts";
import { ask, show, valuesIn, violations, withBrowser } from "./browser.ts";
import { example, names, RESTORED } from "./example.ts";

const HOSTILE = [
  '<img src=x onerror="document.title=1">',
  '"></td><script>document.title=1</script>',
  "evil\u202etxt\u0007\n\u001b[2J",
  "&lt;b&gt;",
  "__proto__",
  "x".repeat(512),
];

const UNREACHABLE: DaemonEvent = {
  event: "db.disconnected",
  failure: { code: "ECONNREFUSED", message: "connect ECONNREFUSED" },
  attempt: 1,
  retry_in_ms: 100,
};
const NO_TABLE: DaemonEvent = {
  event: "db.unfit",
  reason: "missing_table",
  problems: ["table public.events_outbox does not exist: create it"],
  retry_in_ms: 100,
};
const FORGOTTEN = {
  metrics: [],
  lag: { merges: 0, seconds: 0 },
  historyTruncated: false,
  current: () => null,
  last: () => null,
  explain: () => null,
};
const clocked = (context: BrowserContext): Promise<void> => context.clock.install();

withBrowser();

function sorted(values: readonly (string | null)[]): string[] {
  return values.map(String).toSorted();
}

test("before the first merge, one box explains what the daemon waits for", async () => {
  const { page, complaints } = await show(example([], 0));
  expect(await page.locator("#waiting").innerText()).toContain("the first row of kind work_item.transition");
  expect(await page.locator("#values > *").count()).toBe(1);
  expect(await violations(page)).toStrictEqual([]);
  expect(complaints).toStrictEqual([]);
});

describe.for([
  ["three projects", 3, 286],
  ["two hundred projects", 200, 900],
] as const)("with %s", ([, projects, merges]) => {
  test("the values are those of /snapshot.json, as numbers and as people read them", async () => {
    const { page, snapshot, complaints } = await show(example(names(projects), merges));
    const { metrics: all, projects: recent } = await snapshot();
    const listed = new Set(recent.slice(0, 100));
    const metrics = all.filter(({ project }) => project === null || listed.has(project));
    const values = await valuesIn(page);
    for (const [metric, readings] of Map.groupBy(metrics, (one) => one.metric)) {
      const shown = readings.map(({ value }) => (value === null ? null : String(value)));
      expect(values[metric]?.[0]).toBe(shown[0]);
      expect(sorted(values[metric] ?? [])).toStrictEqual(sorted(shown));
    }
    for (const { metric, value, numerator, n, window, gate } of metrics.filter(
      ({ scope }) => scope === "global",
    )) {
      const text = (await page.locator(`.metric[data-metric=${metric}]`).innerText()).replaceAll(/\s+/g, " ");
      const ratio = numerator !== null;
      expect(text).toContain(value === null ? "undefined" : ratio ? percent(value) : String(value));
      expect(text).toContain(`n=${n}/${window}`);
      expect(text).toContain(
        gate === null
          ? "no gate"
          : `${{ high: "▲", low: "▼", unknown: "○" }[gate.state]} ${{ trust: "Trust", scope_overlap: "Scope overlap" }[gate.name]}: ${gate.state.toUpperCase()}`,
      );
    }
    expect(await page.locator("tbody tr").count()).toBe(Math.min(projects, 100));
    expect(complaints).toStrictEqual([]);
  });

  test("is accessible and fits: light or dark, 320 or 1600 pixels", async () => {
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
    const history = example(names(3), 286).memory.current()?.history;
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
    expect(await page.locator(".wide svg:visible, .narrow svg:visible").count()).toBe(3);
  });

  test("the rate of each project that has one, behind a fold with their states, and the others in a sentence", async () => {
    const { page } = await show(example(names(4), 1000));
    const { series } = example(names(4), 1000).memory.current()?.history ?? { series: [] };
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
    expect(await fold.innerText()).toContain("3 further projects merged lately and have no full window");
    expect(await violations(page)).toStrictEqual([]);
  });

  test("before the first restore it shows reason and remedy, with 503 and without numbers", async () => {
    const failing = example([], 0, []);
    failing.report(UNREACHABLE);
    const { page, address } = await show({ served: { ...failing.served, memory: FORGOTTEN } });
    expect((await fetch(address)).status).toBe(503);
    expect(await page.title()).toMatch(/^NOT RECORDING/);
    const text = (await page.locator("#state").innerText()).replaceAll(/\s+/g, " ");
    expect(text).toMatch(
      /not recording Database unavailable since .* Values appear when .* check that it is running and that DATABASE_URL is right/,
    );
    expect(await page.locator("[data-metric]").count()).toBe(0);
    expect(await violations(page)).toStrictEqual([]);
  });

  test.each([
    ["an unavailable database", UNREACHABLE, /^Database unavailable since /, /check that it is running/],
    [
      "a missing table",
      NO_TABLE,
      /^The daemon cannot record\./,
      /Table public\.events_outbox does not exist: create it\./,
    ],
  ] as const)(
    "%s leaves the last values, grey and dated, with the reason and the remedy; they return",
    async (_, event, reason, remedy) => {
      const daemon = example(names(3), 286);
      const { page, address } = await show(daemon, {}, clocked);
      const before = await page.locator(".metric data").allInnerTexts();
      daemon.report(event);
      await page.clock.fastForward(5_000);
      await page.locator("#values.outdated").waitFor();
      expect(await page.locator(".metric data").allInnerTexts()).toStrictEqual(before);
      const shown = await page.locator(".obstacle").innerText();
      expect(shown).toMatch(reason);
      expect(shown).toMatch(remedy);
      expect(shown).toMatch(/The values below are the last known ones, of merge 286, \d+ . ago/);
      expect(await page.locator("body").innerText()).not.toContain("reading from");
      expect(await page.title()).toBe("NOT RECORDING · Damascus metrics");
      expect((await fetch(address)).status).toBe(503);
      expect((await fetch(`${address}/snapshot.json`)).status).toBe(503);
      expect(await violations(page)).toStrictEqual([]);
      daemon.report({ event: "db.connected", server_version: "18.4", role: "r" });
      daemon.report({ ...RESTORED, seq: 286 });
      await page.clock.fastForward(5_000);
      await page.locator("#values:not(.outdated)").waitFor();
      expect(await page.locator(".obstacle").count()).toBe(0);
    },
  );

  test("hostile names are text, and harmless", async () => {
    const { page, complaints } = await show(example(HOSTILE, 400), { viewport: { width: 320, height: 900 } });
    expect(await page.locator("img, td script, iframe").count()).toBe(0);
    expect(await page.title()).toContain("Damascus metrics");
    const shown = await page.locator("tbody th").allTextContents();
    expect(shown.toSorted()).toStrictEqual(HOSTILE.map((one) => safe(one)).toSorted());
    await page.locator("#charts summary").click();
    expect(await page.locator("#charts details h3").allTextContents()).toStrictEqual([
      safe(HOSTILE[0] ?? ""),
    ]);
    expect(await ask(page, "document.documentElement.scrollWidth")).toBe(320);
    expect(await violations(page)).toStrictEqual([]);
    expect(complaints).toStrictEqual([]);
  });

  test("thousands of projects: those that merged last are shown, a filter finds every other, or all on request", async () => {
    const { page, address } = await show(example(names(1600), 5000));
    const rows = page.locator("tbody tr");
    expect(await rows.count()).toBe(100);
    expect(await page.locator("#projects").innerText()).toMatch(/1500 more: filter by name, or show all/);
    expect((await page.content()).length).toBeLessThan(300_000);
    await page.getByLabel("Filter").pressSequentially("ct-77");
    await page.locator("#project-list", { hasText: "10 of 1600 projects" }).waitFor();
    expect(await rows.count()).toBe(10);
    expect(new URL(page.url()).search).toBe("?filter=ct-77");
    expect(await ask(page, "document.activeElement.name")).toBe("filter");
    const whole = await fetch(`${address}/?all`);
    expect((await whole.text()).match(/<tr><th scope="row">/g)).toHaveLength(1600);
  });

  test("projects that are restricted come first, then those that merged last", async () => {
    const { page, snapshot } = await show(example(names(5), 1000));
    const { projects, metrics } = await snapshot();
    const restricted = metrics.filter(({ effective }) => effective?.state === "high");
    const own = restricted
      .filter(({ effective }) => effective?.scope === "project")
      .map(({ project }) => project);
    const global = restricted.map(({ project }) => project).filter((project) => !own.includes(project));
    const rank = (project: string) => (own.includes(project) ? 0 : global.includes(project) ? 1 : 2);
    expect(await page.locator("tbody th").allInnerTexts()).toStrictEqual(
      projects.toSorted((a, b) => rank(a) - rank(b)),
    );
  });

  test("a row leads to its window and its distance to the bounds, by pointer and keyboard, and stays open", async () => {
    const daemon = example(names(3), 386);
    const { page, complaints } = await show(daemon, {}, clocked);
    const link = page.locator("tbody a", { hasText: "atlas" });
    await page.locator("tbody tr", { hasText: "atlas" }).click();
    await page.locator(".project").waitFor();
    expect(await link.getAttribute("aria-expanded")).toBe("true");
    const shown = (await page.locator(".project").innerText()).replaceAll(/\s+/g, " ");
    expect(shown).toMatch(/Scope overlap: HIGH restricted since/);
    expect(shown).toMatch(/LOW \(< 5%\) takes at least \d+ more merges, all without a rebase conflict\./);
    expect(await page.locator(".window span").count()).toBe(100);
    expect(await violations(page)).toStrictEqual([]);
    daemon.record(9);
    await page.clock.fastForward(5_000);
    await page.locator(".seq", { hasText: "395" }).waitFor();
    expect(await page.locator(".project").count()).toBe(1);
    await link.focus();
    await page.keyboard.press("Enter");
    expect(await page.locator(".project").count()).toBe(0);
    expect(complaints).toStrictEqual([]);
  });

  test("a chart's crosshair shows value, merge, time and project, by pointer and arrow keys", async () => {
    const daemon = example(names(3), 286);
    const { page } = await show(daemon);
    const history = daemon.memory.current()?.history;
    const figure = page.locator("figure:visible").first();
    const said = (seq: number): string => {
      const merge = history?.merges.find((one) => one.seq === seq);
      const point = history?.series[0]?.points.find((one) => one.seq === seq);
      const value = point?.value == null ? "undefined" : `${Number((point.value * 100).toPrecision(6))}%`;
      return `${value} · merge ${seq} · ${merge?.merged_at?.slice(0, 16).replace("T", " ")}Z · ${merge?.project}`;
    };
    await figure.focus();
    await page.keyboard.press("ArrowLeft");
    expect(await figure.locator(".read").innerText()).toBe(said(285));
    await page.keyboard.press("Home");
    expect(await figure.locator(".read").innerText()).toBe(said(1));
    await figure.hover({ position: { x: 200, y: 80 } });
    const seq = Number(await figure.getAttribute("data-at"));
    expect(await figure.locator(".read").innerText()).toBe(said(seq));
    expect(await figure.locator(".cross").count()).toBe(1);
  });

  test("times are shown as ages, with the date in the tooltip", async () => {
    const { page } = await show(example(names(3), 286));
    const time = page.locator(".decision time").first();
    expect(await time.innerText()).toMatch(/^\d+ (s|min|h|d)$/);
    expect(await time.getAttribute("title")).toBe(await time.getAttribute("datetime"));
    expect(await page.locator(".crossings time").first().innerText()).toMatch(/ ago$/);
  });

  test.each([390, 800])(
    "the state to use is visible at %i pixels without scrolling sideways",
    async (width) => {
      const { page } = await show(example(names(40), 900), { viewport: { width, height: 900 } });
      const box = await page.locator("td.follows .state").first().boundingBox();
      expect((box?.x ?? width) + (box?.width ?? 0)).toBeLessThan(width);
      expect(await ask(page, "document.documentElement.scrollWidth")).toBe(width);
    },
  );

  test("under a path of a proxy every link and the refresh stay under it", async () => {
    const { page } = await show(example(names(3), 286));
    const links = await page
      .locator("a, form")
      .evaluateAll((all) => all.map((one) => one.getAttribute("href") ?? one.getAttribute("action") ?? ""));
    expect(links.filter((link) => /^(\/|https?:)/.test(link))).toStrictEqual([]);
  });

  test("the tab's icon differs by state", async () => {
    const daemon = example(names(3), 286);
    const { page } = await show(daemon, {}, clocked);
    const icon = () => page.locator("link[rel=icon]").getAttribute("href");
    const before = await icon();
    daemon.report(UNREACHABLE);
    await page.clock.fastForward(5_000);
    await page.locator("#values.outdated").waitFor();
    expect(await icon()).not.toBe(before);
  });

  test("it works without scripts, and loads itself again", async () => {
    const { page, complaints } = await show(example(names(3), 286), { javaScriptEnabled: false });
    expect(await page.locator(".metric").count()).toBe(3);
    expect(await page.content()).toContain('http-equiv="refresh"');
    expect(complaints).toStrictEqual([]);
  });

  test("an injected script does not run", async () => {
    const { page } = await show(example(names(3), 60));
    await ask(
      page,
      `{ const script = document.createElement("script"); script.textContent = "document.title = 'slipped'"; document.body.append(script); }`,
    );
    expect(await page.title()).not.toBe("slipped");
  });
});
