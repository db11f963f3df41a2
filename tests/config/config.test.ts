import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { METRIC_NAMES, type MetricName } from "../../src/core/metric.ts";
import { problemsOf, temporaryFile } from "./support.ts";

const DATABASE = { DATABASE_URL: "postgresql://metrics:canary@db:5432/damascus" };
const fileOf = (content: unknown) => ({
  METRICS_CONFIG_FILE: temporaryFile(typeof content === "string" ? content : JSON.stringify(content)),
});
const configOf = (env: NodeJS.ProcessEnv) => loadConfig({ ...DATABASE, ...env });
const rate = { window: 2, record: ["global"] };
const GATED = { ...rate, gate: { name: "trust", upper: 0.8, lower: 0.7 } };
/** All metrics, some of them said otherwise. */
const named = (some: object) => ({
  ...Object.fromEntries(METRIC_NAMES.map((name) => [name, rate])),
  ...some,
});
const metricOf = (name: MetricName, metrics: object) =>
  configOf(fileOf({ metrics: named(metrics) })).metrics.find((metric) => metric.name === name);
const problemOf = (content: unknown) => {
  const env = fileOf(content);
  return problemsOf(() => configOf(env)).map((problem) =>
    problem.replace(`${env.METRICS_CONFIG_FILE}: `, ""),
  );
};

describe("defaults", () => {
  test("with nothing but a database every setting has the documented default", () => {
    const { database: _, configFile, origins, metrics, ...rest } = loadConfig(DATABASE);
    expect(rest).toStrictEqual({
      schema: "public",
      notifyChannel: "events_outbox",
      httpEnabled: true,
      httpHost: "127.0.0.1",
      httpPort: 9464,
      pollIntervalMs: 5_000,
      auditIntervalMs: 60_000,
      statementTimeoutMs: 10_000,
      lockTimeoutMs: 5_000,
      connectTimeoutMs: 5_000,
      shutdownTimeoutMs: 5_000,
      logLevel: "info",
      merge: { kind: "phase.transition", target: "merged" },
      warnings: [],
    });
    expect(configFile).toMatch(/config\/metrics\.json$/);
    expect(origins["METRICS_HTTP_PORT"]).toBe("default");
    expect(metrics).toStrictEqual([
      {
        name: "first_pass_merge_rate",
        window: 50,
        record: ["global"],
        gate: { name: "trust", upper: 0.85, lower: 0.7 },
        verdicts: null,
      },
      {
        name: "rebase_conflict_rate",
        window: 100,
        record: ["global", "project"],
        gate: { name: "scope_overlap", upper: 0.1, lower: 0.05 },
        verdicts: ["rebase_conflict"],
      },
      { name: "p95_attempts_to_merge", window: 100, record: ["global"], gate: null, verdicts: null },
    ]);
  });

  test("the configuration is frozen to its leaves", () => {
    const config = loadConfig(DATABASE);
    for (const part of [config, config.database, config.metrics, config.metrics[0]?.gate]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

describe("the environment", () => {
  test("overrides the default, and is named as the origin", () => {
    const config = configOf({
      METRICS_HTTP_PORT: "0",
      METRICS_POLL_INTERVAL: "500ms",
      METRICS_AUDIT_INTERVAL: "2m",
    });
    expect(config).toMatchObject({ httpPort: 0, pollIntervalMs: 500, auditIntervalMs: 120_000 });
    expect(config.origins).toMatchObject({ METRICS_HTTP_PORT: "environment", METRICS_HTTP_HOST: "default" });
  });

  test.each(["", " ", "NaN", "1e3", "-1", "65536", "99999999999999999999", "0x50", "80 ", "9464.0", "01"])(
    "a port of %j is refused, naming key, value and expectation",
    (port) => {
      expect(problemsOf(() => configOf({ METRICS_HTTP_PORT: port }))).toStrictEqual([
        `METRICS_HTTP_PORT is ${JSON.stringify(port)}: it must be a whole number from 0 (any free port) to 65535, such as 9464`,
      ]);
    },
  );

  test.each(["", " ", "5", "5 s", "-5s", "0s", "1e3ms", "NaN", "1h", "9999999999s", "61m", "5S", "0.5s"])(
    "a poll interval of %j is refused",
    (interval) => {
      expect(problemsOf(() => configOf({ METRICS_POLL_INTERVAL: interval }))).toStrictEqual([
        `METRICS_POLL_INTERVAL is ${JSON.stringify(interval)}: it must be a duration from 10ms to 60m, such as 5s`,
      ]);
    },
  );

  test.each([
    "",
    '"public"',
    "a b",
    "it's",
    "public; drop table work_items",
    "1st",
    "schéma",
    "a".repeat(64),
    "public\n",
  ])("a schema or channel named %j is refused: it would reach SQL text", (name) => {
    const problems = problemsOf(() => configOf({ METRICS_SCHEMA: name, METRICS_NOTIFY_CHANNEL: name }));
    expect(problems).toHaveLength(2);
    expect(problems.join("\n")).toMatch(/^METRICS_SCHEMA is .*\nMETRICS_NOTIFY_CHANNEL is /);
  });

  test.each([
    ["METRICS_HTTP_ENABLED", "yes"],
    ["METRICS_HTTP_HOST", "http://localhost"],
    ["METRICS_HTTP_HOST", ""],
    ["METRICS_LOG_LEVEL", "verbose"],
    ["METRICS_CONFIG_FILE", ""],
  ])("%s=%j is refused", (name, value) => {
    expect(problemsOf(() => configOf({ [name]: value })).join()).toMatch(new RegExp(`^${name} is`));
  });

  test("all mistakes are reported at once", () => {
    const problems = problemsOf(() =>
      loadConfig({ METRICS_HTTP_PORT: "x", METRICS_LOG_LEVEL: "x", METRICS_CONFIG_FILE: "/nonexistent" }),
    );
    expect(problems).toHaveLength(4);
  });

  test("a huge value is not repeated in full", () => {
    expect(problemsOf(() => configOf({ METRICS_SCHEMA: "x".repeat(10_000) }))[0]?.length).toBeLessThan(250);
  });

  test("an unknown METRICS_ variable is a warning with the nearest name", () => {
    expect(
      configOf({ METRICS_HTPP_PORT: "1", METRICS_SOMETHING_QUITE_DIFFERENT: "1" }).warnings,
    ).toStrictEqual([
      { variable: "METRICS_HTPP_PORT", nearest: "METRICS_HTTP_PORT" },
      { variable: "METRICS_SOMETHING_QUITE_DIFFERENT", nearest: null },
    ]);
  });
});

describe("the configuration file", () => {
  test("a flag wins over the environment", () => {
    const flag = temporaryFile(JSON.stringify({ metrics: named({}) }));
    const config = loadConfig({ ...DATABASE, METRICS_CONFIG_FILE: "/nonexistent" }, { configFile: flag });
    expect(config.metrics.map((metric) => metric.window)).toStrictEqual([2, 2, 2]);
    expect(config.origins).toMatchObject({ METRICS_CONFIG_FILE: "flag", metrics: "file" });
  });

  test("metrics come in the order of their rows, whatever the order in the file", () => {
    const metrics = Object.fromEntries(METRIC_NAMES.toReversed().map((name) => [name, rate]));
    expect(configOf(fileOf({ metrics })).metrics.map(({ name }) => name)).toStrictEqual([...METRIC_NAMES]);
  });

  test("the rebase conflict rate counts the verdict rebase_conflict by default", () => {
    expect(metricOf("rebase_conflict_rate", {})?.verdicts).toStrictEqual(["rebase_conflict"]);
    const others = { rebase_conflict_rate: { ...rate, verdicts: ["a", "b"] } };
    expect(metricOf("rebase_conflict_rate", others)?.verdicts).toStrictEqual(["a", "b"]);
  });

  test("bounds may be equal, and at the ends of the scale", () => {
    const gate = { name: "g", lower: 0, upper: 0 };
    expect(
      metricOf("first_pass_merge_rate", { first_pass_merge_rate: { ...rate, gate } })?.gate,
    ).toStrictEqual(gate);
  });

  test.each([0, -1, 1.5, 100_001, "50", null])("a window of %j is refused", (window) => {
    expect(problemOf({ metrics: named({ first_pass_merge_rate: { ...rate, window } }) })).toStrictEqual([
      `metrics.first_pass_merge_rate.window is ${JSON.stringify(window)}: it must be a whole number of merges from 1 to 100000`,
    ]);
  });

  test.each([[["project"]], [["global", "global"]], [["global", "galaxy"]], ["global"]])(
    "recording %j is refused: the global rows are the order of merges",
    (record) => {
      expect(problemOf({ metrics: { first_pass_merge_rate: { ...rate, record } } }).join()).toMatch(
        /^metrics\.first_pass_merge_rate\.record\S* is .*it must be \[\], \["global"\] or/,
      );
    },
  );

  test.each([
    [{ name: "g", upper: 0.1, lower: 0.2 }, "gate.lower is 0.2: it must be at most upper"],
    [{ name: "g", upper: 1.1, lower: 0.2 }, "gate.upper is 1.1: it must be a number from 0 to 1"],
    [{ name: "G g", upper: 1, lower: 0.2 }, 'gate.name is "G g": it must be a plain lower-case name'],
    [{ name: "g", upper: 1 }, "gate.lower is missing: it must be a number from 0 to 1"],
    [{ name: "g", upper: 1, lower: 0, uper: 1 }, "gate.uper is not known here; did you mean upper?"],
    [null, "gate is null: it must be an object"],
  ])("the gate %j is refused", (gate, problem) => {
    expect(problemOf({ metrics: { first_pass_merge_rate: { ...rate, gate } } }).join()).toContain(
      `metrics.first_pass_merge_rate.${problem}`,
    );
  });

  test.each([
    [
      { metrics: { p95_attempts_to_merge: { ...rate, gate: {} } } },
      "metrics.p95_attempts_to_merge.gate is not known",
    ],
    [
      { metrics: { first_pass_merge_rate: { ...rate, verdicts: ["a"] } } },
      "first_pass_merge_rate.verdicts is not known",
    ],
    [
      {
        metrics: {
          rebase_conflict_rate: { ...rate, verdicts: Array.from({ length: 40 }, () => "x".repeat(500)) },
        },
      },
      "verdicts that take at most 16384 bytes together, as every row carries them",
    ],
    [
      { metrics: named({ first_pass_merge_rate: GATED, rebase_conflict_rate: GATED }) },
      "each gate has a name of its own",
    ],
    [
      { metrics: { rebase_conflict_rate: { ...rate, verdicts: [] } } },
      "verdicts is []: it must be a list of verdicts",
    ],
    [{ metrics: { rebase_conflict_rate: { ...rate, verdicts: [""] } } }, 'verdicts.0 is "": it must be'],
    [{ metrics: {} }, "metrics.rebase_conflict_rate is missing: it must be an object such as"],
    [
      { metrics: Object.fromEntries(METRIC_NAMES.map((name) => [name, { ...rate, record: [] }])) },
      "it must be an object in which at least one metric is recorded",
    ],
    [{ merge: { kind: "it's", target: "merged" }, metrics: named({}) }, "merge.kind is"],
    [{ metrics: { first_pass_rate: rate } }, "metrics.first_pass_rate is not known here"],
    [{}, "metrics is missing"],
    [[], "the document is something else: it must be an object"],
    [
      { metric: {}, metrics: { p95_attempts_to_merge: rate } },
      "metric is not known here; did you mean metrics?",
    ],
    [
      '{"metrics": {"p95_attempts_to_merge": {"window": 1, "record": ["global"]}, "__proto__": {}}}',
      "__proto__",
    ],
    [
      { merge: { kind: "metric.x", target: "merged" }, metrics: { p95_attempts_to_merge: rate } },
      "merge.kind is",
    ],
    ['{"metrics":\n {,}', "it must be JSON, and is not (line 2 column 3)"],
    ["", "it must be JSON, and is not"],
  ])("%j is refused", (content, problem) => {
    expect(problemOf(content).join("\n")).toContain(problem);
  });

  test("a file that is not ours is not quoted: it may be a secret", () => {
    for (const content of ["canary-password", '"canary-password"', "postgres://canary@db"]) {
      expect(problemOf(content).join()).not.toContain("canary");
    }
  });

  test("a file that cannot be read is named with its variable", () => {
    expect(problemsOf(() => configOf({ METRICS_CONFIG_FILE: "/nonexistent" }))).toStrictEqual([
      'METRICS_CONFIG_FILE is "/nonexistent": the file cannot be read (no such file or folder)',
    ]);
  });
});
