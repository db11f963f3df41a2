import { describe, expect, test } from "vitest";
import { main } from "../../src/cli/program.ts";
import { DATABASE, fakeTerminal, NOTHING } from "./fake-terminal.ts";

async function config(args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const { terminal, written } = fakeTerminal({ env: { ...DATABASE, ...env } });
  return {
    code: await main("metrics", ["config", ...args], terminal, NOTHING),
    ...written,
  };
}

describe("metrics config", () => {
  test("shows each setting with its origin and value, one a line", async () => {
    const { code, out } = await config([], { METRICS_HTTP_PORT: "0", METRICS_POLL_INTERVAL: "120000ms" });
    expect(code).toBe(0);
    const lines = out.split("\n");
    expect(lines[0]).toMatch(/^SETTING {2,}FROM {2,}VALUE$/);
    const rows = lines.map((line) => line.split(/ {2,}/).join(" | "));
    for (const row of [
      "database.host | environment | db",
      "database.password | environment | (secret)",
      "METRICS_HTTP_PORT | environment | 0",
      "METRICS_POLL_INTERVAL | environment | 2m",
      "METRICS_AUDIT_INTERVAL | default | 60s",
      "metrics.p95_attempts_to_merge.window | default | 100",
      "metrics.rebase_conflict_rate.record | default | global, project",
      "metrics.rebase_conflict_rate.gate.name | default | scope_overlap",
      "metrics.first_pass_merge_rate.gate.upper | default | 0.85",
    ])
      expect(rows).toContain(row);
    for (const line of lines.filter((one) => !one.startsWith("METRICS_CONFIG_FILE")))
      expect(line.length).toBeLessThanOrEqual(80);
  });

  test("what nothing sets is libpq's default", async () => {
    const { out } = await config([], { DATABASE_URL: "postgresql://metrics@db/damascus" });
    expect(out).toMatch(/^database\.port +default +5432$/m);
  });

  test("--json is nothing but JSON, with the same settings", async () => {
    const { out, err } = await config(["--json"]);
    expect(err).toBe("");
    expect(JSON.parse(out)).toMatchObject({
      schema_version: 1,
      settings: expect.arrayContaining([
        { setting: "METRICS_SCHEMA", value: "public", origin: "default" },
        {
          setting: "metrics.first_pass_merge_rate",
          value: { window: 50, record: ["global"], gate: { name: "trust", upper: 0.85, lower: 0.7 } },
          origin: "default",
        },
      ]),
    });
  });

  test.each([[[]], [["--json"]], [["--check"]]])("config %j shows no secret", async (args) => {
    const { out, err } = await config(args, { PGPASSWORD: "canary" });
    expect(out + err).not.toContain("canary");
  });

  test("--check reports that it is valid, or what is not", async () => {
    expect(await config(["--check"])).toStrictEqual({ code: 0, out: "configuration is valid\n", err: "" });
    const { code, out, err } = await config(["--check"], { METRICS_HTTP_PORT: "x" });
    expect([code, out]).toStrictEqual([2, ""]);
    expect(err).toMatch(/^metrics: METRICS_HTTP_PORT is "x": it must be /);
  });

  test("warns of a variable without effect, and of what was probably meant", async () => {
    const { code, err } = await config(["--check"], { METRICS_HTPP_PORT: "1" });
    expect([code, err]).toStrictEqual([
      0,
      "warning: METRICS_HTPP_PORT is not known and has no effect: did you mean METRICS_HTTP_PORT?\n",
    ]);
  });
});
