import { describe, expect, test } from "vitest";
import { type Executable, main } from "../../src/cli/program.ts";
import type { Work } from "../../src/cli/verb.ts";
import { Failed } from "../../src/failed.ts";
import { VERSION } from "../../src/version.ts";
import { DATABASE, fakeTerminal, NOTHING } from "./fake-terminal.ts";
import { GLOBAL, metricOf, snapshotWith, youngProject } from "./snapshot-example.ts";

type Setting = Parameters<typeof fakeTerminal>[0] & Partial<Work> & { readonly executable?: Executable };

/** Types a command line. */
async function type(args: string, { executable = "metrics", ...setting }: Setting = {}) {
  const { terminal, written } = fakeTerminal(setting);
  const verbs: Work = {
    ...NOTHING,
    run: async () => 0,
    readSnapshot: async () => snapshotWith(),
    ...setting,
  };
  const code = await main(executable, args === "" ? [] : args.split(" "), terminal, verbs);
  return { code, ...written };
}

const failingWith = (error: Error): Setting => ({
  readSnapshot: async () => {
    throw error;
  },
});

/** The options of a help text, however it is wrapped. */
function optionsOf(help: string): string {
  const options = help
    .slice(help.indexOf("Options:"), help.indexOf("Examples:"))
    .replace(/ *-V, --version.*\n/, "");
  return options.replaceAll(/\s+/g, " ");
}

const WITHOUT_GLOBAL = snapshotWith({
  metrics: [
    ...GLOBAL.slice(1),
    metricOf("first_pass_merge_rate", null, { value: null, numerator: 9, n: 23, window: 50 }),
    ...youngProject("atlas"),
  ],
});

const VERB_NAMES = [
  "run",
  "snapshot",
  "history",
  "explain",
  "simulate",
  "verify",
  "config",
  "health",
  "schema",
  "completion",
];

async function codesOf(verb: string): Promise<string | undefined> {
  const { out } = await type(`${verb} --help`);
  return out
    .split("Exit codes:")[1]
    ?.match(/(?<=^ {2})\d/gm)
    ?.join("");
}

describe("help", () => {
  test.each(["--help", ...VERB_NAMES.map((verb) => `${verb} --help`), "help snapshot"])(
    "%s shows usage, description, options, examples, environment and exit codes in 80 columns",
    async (args) => {
      const { code, out, err } = await type(args, { columns: 200 });
      expect([code, err]).toStrictEqual([0, ""]);
      expect(out).toMatch(
        /^Usage: metrics .*\n\n\w[^]*\n\nOptions:\n[^]*\nExamples:\n {2}\S[^]*\nExit codes:\n {2}0 {2}\w/,
      );
      expect(out.split("\n").filter((line) => line.length > 80)).toStrictEqual([]);
      const needsNothing = args.startsWith("schema") || args.startsWith("completion");
      expect(out.includes("\nEnvironment:\n  ")).toBe(!needsNothing);
    },
  );

  test("of a verb has the exit codes of that verb", async () => {
    expect([await codesOf("snapshot"), await codesOf("health"), await codesOf("explain")]).toStrictEqual([
      "01234",
      "012",
      "0123",
    ]);
  });

  test("snapshot is also an executable, with the same flags", async () => {
    const alone = await type("--help", { executable: "snapshot" });
    const verb = await type("snapshot --help");
    expect(alone.out).toContain("Usage: snapshot [options]");
    expect(optionsOf(alone.out)).toBe(optionsOf(verb.out));
  });

  test("--version is the package's", async () => {
    expect(await type("--version")).toStrictEqual({ code: 0, out: `${VERSION}\n`, err: "" });
  });
});

describe("usage errors", () => {
  test.each([
    ["snapsht", "Did you mean snapshot?"],
    ["snapshot --jsn", "Did you mean --json?"],
    ["snapshot atlas", "too many arguments"],
    ["snapshot --timeout 5", "must be a duration from 1ms to 60m"],
    ["snapshot --project=", "It must be the name of a project."],
    ["explain --project atlas --project=", "It must be the name of a project."],
    ["history first --svg=", "It must be a file, or - for standard output."],
    ["snapshot --at 9223372036854775808", "must be the id of an event"],
    ["history first --svg - --json", "cannot be used with option"],
    ["history first --svg - -o jsonl", "cannot be used with option"],
    ["explain zz", "unknown metric 'zz'; known are first_pass_merge_rate (trust), "],
    ["snapshot --timeout 0s", "must be a duration from 1ms to 60m"],
    ["snapshot -o yaml", "Allowed choices are text, json"],
    ["snapshot --all --project atlas", "cannot be used with option"],
    ["snapshot --project", "argument missing"],
    ["", "Usage: metrics"],
  ])("%j exits with 2, gives the reason on standard error, and contacts nothing", async (args, why) => {
    const contacted = failingWith(new Error("contacted"));
    const { code, out, err } = await type(args, contacted);
    expect([code, out]).toStrictEqual([2, ""]);
    expect(err).toContain(why);
    expect(err).not.toContain("error:");
  });
});

describe("run", () => {
  test("hands the configuration over, and its exit code back", async () => {
    const seen: string[] = [];
    const run: Work["run"] = async (config) => {
      seen.push(config.schema);
      return 3;
    };
    expect((await type("run", { env: { ...DATABASE, METRICS_SCHEMA: "orchestrator" }, run })).code).toBe(3);
    expect(seen).toStrictEqual(["orchestrator"]);
  });

  test("a configuration that cannot be used exits with 2 and a line for each problem", async () => {
    const { code, err } = await type("run", {
      env: { METRICS_HTTP_PORT: "x", METRICS_LOG_LEVEL: "\x1b[2J" },
    });
    expect(code).toBe(2);
    expect(err.split("\n")).toStrictEqual([
      expect.stringMatching(/^metrics: DATABASE_URL is not set/),
      expect.stringMatching(/^metrics: METRICS_HTTP_PORT is "x"/),
      expect.stringMatching(/^metrics: METRICS_LOG_LEVEL is "\\u001b\[2J"/),
      "",
    ]);
  });
});

describe("snapshot", () => {
  test("in a pipe the readings go to standard output, the footer to standard error", async () => {
    const { code, out, err } = await type("snapshot");
    expect(code).toBe(0);
    expect(out).toMatch(/^first_pass_merge_rate = 88\.0% \(n=50\/50\) {4}trust HIGH .*\nrebase/);
    expect(out).not.toContain("as of merge");
    expect(err).toMatch(/^as of merge 1873 .*\n$/);
  });

  test("on a terminal everything goes there, in colour", async () => {
    const wide = await type("snapshot", { columns: 140 });
    expect(wide.err).toBe("");
    expect(wide.out).toContain("\x1b[32mHIGH\x1b[39m");
    expect(wide.out).toMatch(/\n\nas of merge 1873 .*\n$/);
    expect((await type("snapshot", { columns: 80, env: { ...DATABASE, NO_COLOR: "1" } })).out).toMatch(
      /^first_pass_merge_rate = 88\.0% \(n=50\/50\) {4}trust HIGH {10}up>=85% down<70%\n/,
    );
  });

  test.each([
    ["NO_COLOR", "snapshot", { NO_COLOR: "1" }],
    ["TERM=dumb", "snapshot", { TERM: "dumb" }],
    ["--no-color", "snapshot --no-color", {}],
  ])("%s means no colour", async (_, args, env) => {
    const { out } = await type(args, { columns: 140, env: { ...DATABASE, ...env } });
    expect(out).toContain("HIGH");
    expect(out).not.toContain("\x1b");
  });

  test("--wide shows everything also in a pipe, without colour", async () => {
    expect((await type("snapshot --wide")).out).toMatch(/HIGH {10}since .* up>=85% down<70%\n/);
  });

  test.each(["snapshot --json", "snapshot -o json"])("%s is nothing but the document", async (args) => {
    const { out, err } = await type(args);
    expect(JSON.parse(out)).toStrictEqual(snapshotWith());
    expect(err).toBe("");
  });

  test("--project narrows the projects of the document, never the global readings", async () => {
    const snapshot = snapshotWith({
      metrics: [...GLOBAL, ...youngProject("atlas"), ...youngProject("__proto__")],
    });
    const { out } = await type("snapshot --json --project __proto__", { readSnapshot: async () => snapshot });
    expect(JSON.parse(out)).toStrictEqual(
      JSON.parse(
        JSON.stringify({
          ...snapshot,
          projects: ["__proto__"],
          metrics: [...GLOBAL, ...youngProject("__proto__")],
        }),
      ),
    );
  });

  test("hands its timeout over", async () => {
    const timeouts: number[] = [];
    const readSnapshot: Work["readSnapshot"] = async (_, { timeoutMs }) => {
      timeouts.push(timeoutMs);
      return snapshotWith();
    };
    await type("snapshot", { readSnapshot });
    await type("snapshot --timeout 250ms", { readSnapshot });
    expect(timeouts).toStrictEqual([5_000, 250]);
  });

  test("undefined values are no failure, unless --require-defined asks for them", async () => {
    const undefinedRate: Setting = { readSnapshot: async () => WITHOUT_GLOBAL };
    expect((await type("snapshot", undefinedRate)).code).toBe(0);
    expect((await type("snapshot --require-defined")).code).toBe(0);
    const required = await type("snapshot --require-defined --json", undefinedRate);
    expect([required.code, required.err]).toStrictEqual([
      4,
      "first_pass_merge_rate is undefined (n=23/50)\n",
    ]);
    expect(JSON.parse(required.out)).toStrictEqual(WITHOUT_GLOBAL);
  });

  test("with a project --require-defined looks at its effective readings: its own, else the global ones", async () => {
    expect((await type("snapshot --require-defined --project atlas")).code).toBe(0);
    expect((await type("snapshot --require-defined --project unheard-of")).code).toBe(0);
    const { code, err } = await type("snapshot --require-defined --project atlas", {
      readSnapshot: async () => WITHOUT_GLOBAL,
    });
    expect(code).toBe(4);
    expect(err).toContain("first_pass_merge_rate is undefined for project atlas, and globally\n");
  });

  test("lists the projects that merged last; --limit and --all list others", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `p${index}`);
    const readSnapshot = async () =>
      snapshotWith({ metrics: [...GLOBAL, ...names.flatMap((name) => youngProject(name))] });
    const rows = async (args: string) =>
      (
        (await type(`snapshot ${args}`.trim(), { readSnapshot })).out.match(/^p\d+ |^\d+ more.*/gm) ?? []
      ).slice(-2);
    expect(await rows("")).toStrictEqual(["p9 ", "2 more projects (--all)"]);
    expect(await rows("--limit 1")).toStrictEqual(["p0 ", "11 more projects (--all)"]);
    expect(await rows("--all")).toStrictEqual(["p10 ", "p11 "]);
    expect((await type("snapshot --all --limit 3")).code).toBe(2);
  });

  test("reports a project without merges on standard error, with the probable name; --strict fails", async () => {
    const said = "project atals: no merges recorded; did you mean atlas?\n";
    expect(await type("snapshot --project atals")).toMatchObject({
      code: 0,
      err: expect.stringMatching(new RegExp(`${said.replaceAll("?", "[?]")}$`)),
    });
    expect(await type("snapshot --project atals --strict --json")).toMatchObject({ code: 1, err: said });
    expect((await type("snapshot --project atlas --strict")).code).toBe(0);
    expect((await type("snapshot --project completely-other")).err).toMatch(
      /project completely-other: no merges recorded\n$/,
    );
  });

  test("a reader that closes the pipe early is not a failure", async () => {
    expect(await type("snapshot", { readerGone: true })).toStrictEqual({ code: 0, out: "", err: "" });
    expect((await type("--help", { readerGone: true })).code).toBe(0);
  });
});

describe("failures", () => {
  test("an error that carries its exit code is written in its own words, line by line", async () => {
    const error = new Failed(3, "no such table\nrun \x1b[2J config/grants.sql");
    expect(await type("snapshot", failingWith(error))).toStrictEqual({
      code: 3,
      out: "",
      err: "metrics: no such table\nmetrics: run \\x1b[2J config/grants.sql\n",
    });
    expect((await type("", { executable: "snapshot", ...failingWith(error) })).err).toMatch(
      /^snapshot: no such table\n/,
    );
  });

  test("any other one is unexpected: one line, no stack, exit code 1", async () => {
    const { code, err } = await type("snapshot", failingWith(new Error("two\nlines")));
    expect([code, err]).toStrictEqual([1, "metrics: unexpected failure: two lines\n"]);
  });
});
