import { describe, expect, it } from "vitest";
import { domainOf } from "../../src/chart/domain.ts";
import { type HistorySvgOptions, historySvg } from "../../src/chart/svg.ts";
import { HISTORY_CSS } from "../../src/chart/svg-style.ts";
import { point, points, ROSE } from "../core/points.ts";

const OPTIONS: HistorySvgOptions = {
  title: "first_pass_merge_rate, all projects",
  ratio: true,
  bounds: { upper: 0.85, lower: 0.7 },
  id: "trust",
};

const pathOf = (svg: string) => /<path class="line" d="([^"]*)"/.exec(svg)?.[1] ?? "";
const classOf = (svg: string) => /class="(history-chart[^"]*)"/.exec(svg)?.[1];
const attribute = (svg: string, element: RegExp, name: string) =>
  Number(new RegExp(`${name}="([^"]*)"`).exec(element.exec(svg)?.[0] ?? "")?.[1]);

describe("a history as SVG", () => {
  it("is one element with a description in words", () => {
    const svg = historySvg(
      [point(1, null), point(2, 0.7), point(3, 0.86, { state: "high", crossing: ROSE })],
      OPTIONS,
    );
    expect(svg).toMatch(/^<svg [^>]*role="img" aria-labelledby="trust-title trust-desc">/);
    expect(svg).toContain('<title id="trust-title">first_pass_merge_rate, all projects</title>');
    expect(svg).toContain(
      '<desc id="trust-desc">Merges 1 to 3: between 70.0% and 86.0%, now 86.0%. The gate rises at 85% and falls below 70%; it crossed once here and is high now.</desc>',
    );
    expect(svg).toMatch(/<\/svg>\n$/);
  });

  it("has no scripts, no handlers and no references elsewhere", () => {
    const svg = historySvg(points(0.7, 0.8), { ...OPTIONS, standalone: true });
    expect(svg).not.toMatch(/<script|\son\w+=|href|url\(|@import/);
  });

  it("leaves a gap where the metric was undefined", () => {
    expect(pathOf(historySvg(points(0.7, 0.8, 0.9), OPTIONS)).match(/M/g)).toHaveLength(1);
    expect(pathOf(historySvg(points(0.7, null, 0.9), OPTIONS)).match(/M/g)).toHaveLength(2);
  });

  it("leaves that gap also where a pixel holds many merges", () => {
    const many = Array.from({ length: 5000 }, (_, index) => (index === 2500 ? null : 0.8));
    expect(pathOf(historySvg(points(...many), OPTIONS)).match(/M/g)).toHaveLength(2);
  });

  it("draws a value at a bound exactly on the bound's line", () => {
    const svg = historySvg(points(0.7, 0.85), OPTIONS);
    const upper = attribute(svg, /<line class="bound upper"[^>]*>/, "y1");
    expect(attribute(svg, /<circle[^>]*>/, "cy")).toBe(upper);
    expect(attribute(historySvg(points(0.85, 0.7), OPTIONS), /<circle[^>]*>/, "cy")).toBeGreaterThan(upper);
  });

  it("writes no value on the wrong side of a bound, and no bound other than it is", () => {
    const bounds = { upper: 0.85, lower: 0.12345 };
    const svg = historySvg(points(0.7, 84_999 / 100_000), { ...OPTIONS, bounds });
    expect(svg).toContain("now 84.999%. The gate rises at 85% and falls below 12.345%;");
    expect(svg).toContain("down &#60; 12.345%</text>");
  });

  it.each([290, 440, 720])(
    "numbers merges so that no number touches the next one, %i pixels wide",
    (width) => {
      const many = Array.from({ length: 300 }, (_, index) => point(98_700 + index, 0.8));
      const svg = historySvg(many, { ...OPTIONS, width });
      const places = [...svg.matchAll(/<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">\d+</g)].map(
        ([, x]) => Number(x),
      );
      expect(places.length).toBeGreaterThan(1);
      const distances = places.slice(1).map((place, index) => place - (places[index] ?? 0));
      expect(Math.min(...distances)).toBeGreaterThan(38);
    },
  );

  it("marks a crossing with a triangle that names it", () => {
    const svg = historySvg([point(1, 0.8), point(2, 0.86, { crossing: ROSE })], OPTIONS);
    expect(svg).toMatch(
      /<path class="crossing high" d="M[^"]*Z"><title>trust low to high at 86.0%, merge 2, 2026-11-22 10:02Z<\/title>/,
    );
  });

  it("shows the gate's state as bars below, one for each stretch", () => {
    const svg = historySvg(
      [
        point(1, 0.8),
        point(2, 0.9, { state: "high" }),
        point(3, 0.9, { state: "high" }),
        point(4, 0.6, { state: "low" }),
      ],
      OPTIONS,
    );
    expect(
      [...svg.matchAll(/<rect class="(\w+)"[^>]*><title>(.*?)</g)].map((match) => match.slice(1)),
    ).toStrictEqual([
      ["unknown", "unknown from merge 1"],
      ["high", "high from merge 2"],
      ["low", "low from merge 4"],
    ]);
  });

  it("shows in green whichever state is the permissive one", () => {
    expect(classOf(historySvg(points(0.8), OPTIONS))).toBe("history-chart");
    expect(classOf(historySvg(points(0.8), { ...OPTIONS, permissive: "low" }))).toBe(
      "history-chart low-is-permissive",
    );
  });

  it("explains in words that nothing is drawn", () => {
    expect(historySvg([], OPTIONS)).toContain("no merges recorded yet");
    expect(historySvg(points(null, null), OPTIONS)).toContain("undefined: 2 of 50 merges so far");
  });

  it("writes a title from outside as text", () => {
    const svg = historySvg(points(0.8), { ...OPTIONS, title: '</title><script x="\x1b[2J\u202e' });
    expect(svg).toContain(">&#60;/title&#62;&#60;script x=&#34;\\x1b[2J\\u202e</title>");
  });

  it("carries its style only as a document", () => {
    expect(historySvg(points(0.8), OPTIONS)).not.toContain("<style>");
    expect(historySvg(points(0.8), { ...OPTIONS, standalone: true })).toContain(HISTORY_CSS);
  });
});

describe("the vertical range", () => {
  it("holds values and bounds with some air, within 0 and 1 for ratios", () => {
    expect(domainOf(points(0.9, 1), OPTIONS)).toStrictEqual([expect.closeTo(0.676), 1]);
    expect(domainOf(points(0), { ratio: true, bounds: null })).toStrictEqual([0, 0.01]);
  });

  it("begins at 0 for attempts", () => {
    expect(domainOf(points(3, 7), { ratio: false, bounds: null })).toStrictEqual([0, 8]);
  });
});
