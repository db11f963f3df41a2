import { describe, expect, test } from "vitest";
import { DOCUMENT_NAMES, EVENT_KINDS } from "../../contracts/json-schema.ts";
import { main } from "../../src/cli/program.ts";
import type { Work } from "../../src/cli/verb.ts";
import { fakeTerminal } from "./fake-terminal.ts";

async function type(...args: string[]) {
  const { terminal, written } = fakeTerminal({});
  const code = await main("metrics", ["schema", ...args], terminal, {} as Work);
  return { code, ...written };
}

describe("schema", () => {
  test("lists every kind of event, every document and the AsyncAPI document", async () => {
    const names = [...EVENT_KINDS, ...DOCUMENT_NAMES, "asyncapi"];
    const { code, out } = await type();
    expect(code).toBe(0);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ).toStrictEqual(names);
    const listed = JSON.parse((await type("--json")).out) as { name: string }[];
    expect(listed.map(({ name }) => name)).toStrictEqual(names);
  });

  test("prints one of them, as JSON alone", async () => {
    const { code, out, err } = await type("metric.threshold_crossed");
    expect([code, err]).toStrictEqual([0, ""]);
    expect(JSON.parse(out)).toMatchObject({ title: "metric.threshold_crossed" });
    expect(JSON.parse((await type("asyncapi")).out)).toMatchObject({ asyncapi: "3.0.0" });
  });

  test("an unknown name is a matter of usage, and the nearest one is named", async () => {
    const { code, out, err } = await type("metric.treshold_crossed");
    expect([code, out]).toStrictEqual([2, ""]);
    expect(err).toContain("did you mean metric.threshold_crossed?");
    expect((await type("../metrics.json")).code).toBe(2);
  });
});
