import { spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ENTRY as METRICS } from "../../demo/command.ts";
import { DATABASE } from "./fake-terminal.ts";

const SNAPSHOT = join(dirname(METRICS), "snapshot.js");
/** Never the bundle: it is evaluated at once, so no signal arrives meanwhile. */
const CHECKOUT = fileURLToPath(new URL("../../bin/metrics.js", import.meta.url));

type Setting = {
  readonly env?: NodeJS.ProcessEnv;
  /** Where standard output goes instead of to us: a file descriptor, or a pipe whose reader is gone. */
  readonly stdout?: number | "reader gone";
  readonly stderr?: "reader gone";
  /** Runs before the executable. */
  readonly preload?: string;
};

/** Runs an executable as its own process, to its end. */
function execute(
  file: string,
  args: readonly string[],
  { env = DATABASE, stdout, stderr, preload }: Setting = {},
) {
  const first =
    preload === undefined ? [] : ["--import", `data:text/javascript,${encodeURIComponent(preload)}`];
  const child = spawn(process.execPath, [...first, file, ...args], {
    env,
    stdio: ["ignore", typeof stdout === "number" ? stdout : "pipe", "pipe"],
  });
  if (stdout === "reader gone") child.stdout?.destroy();
  if (stderr === "reader gone") child.stderr?.destroy();
  const written = { out: "", err: "" };
  child.stdout?.on("data", (data: Buffer) => {
    written.out += data.toString();
  });
  child.stderr?.on("data", (data: Buffer) => {
    written.err += data.toString();
  });
  return new Promise<{ code: number | null; out: string; err: string }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...written }));
  });
}

describe("the executables", () => {
  test("are those of the package, and may be executed", () => {
    const manifest: unknown = JSON.parse(
      readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
    );
    expect(manifest).toMatchObject({ bin: { metrics: "bin/metrics.js", snapshot: "bin/snapshot.js" } });
    for (const file of [METRICS, SNAPSHOT]) {
      expect(readFileSync(file, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
      expect(() => accessSync(file, constants.X_OK)).not.toThrow();
    }
  });

  test("print results to standard output and nothing to standard error", async () => {
    const { code, out, err } = await execute(METRICS, ["config", "--json"]);
    expect([code, err]).toStrictEqual([0, ""]);
    expect(() => JSON.parse(out)).not.toThrow();
    expect((await execute(SNAPSHOT, ["--help"])).out).toMatch(/^Usage: snapshot \[options\]\n/);
  });

  test("name the Node.js that they need where it is older", async () => {
    const preload =
      'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } })';
    for (const file of [METRICS, SNAPSHOT])
      expect(await execute(file, ["--version"], { preload })).toStrictEqual({
        code: 2,
        out: "",
        err: expect.stringMatching(
          /^damascus-metrics needs Node\.js 24 or newer, and this is 20\.20\.2(;.*)?\n$/,
        ),
      });
  });

  test("end quietly with 0 when the reader has closed the pipe", async () => {
    expect(await execute(METRICS, ["config"], { stdout: "reader gone" })).toStrictEqual({
      code: 0,
      out: "",
      err: "",
    });
  });

  test("keep their exit code when standard error is closed", async () => {
    const env = { METRICS_HTTP_PORT: "x", METRICS_LOG_LEVEL: "x" };
    expect(await execute(METRICS, ["run"], { env, stderr: "reader gone" })).toStrictEqual({
      code: 2,
      out: "",
      err: "",
    });
  });

  test("say that a full disk took nothing", async () => {
    const full = openSync("/dev/full", "w");
    const { code, err } = await execute(METRICS, ["config"], { stdout: full });
    closeSync(full);
    expect([code, err]).toStrictEqual([
      1,
      expect.stringMatching(/^metrics: unexpected failure: ENOSPC.*\n$/),
    ]);
  });

  test("log an uncaught error, and exit with 1", async () => {
    const preload = `const wait = setInterval(() => {
      if (process.listenerCount("uncaughtException") < 2) return;
      clearInterval(wait);
      void Promise.reject(new Error("boom"));
    }, 5)`;
    const env = { DATABASE_URL: "postgres://u:canary@127.0.0.1:1/d", METRICS_HTTP_ENABLED: "false" };
    const { code, out, err } = await execute(METRICS, ["run"], { env, preload });
    expect([code, err]).toStrictEqual([1, ""]);
    const events = out
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({
      event: "daemon.fatal",
      level: "fatal",
      failure: { code: "unexpected", message: expect.stringContaining("boom") },
    });
  });

  test.for(["SIGTERM", "SIGINT"])("end a daemon that is still being loaded with 0 at %s", async (signal) => {
    const preload = `import { registerHooks } from "node:module";
    registerHooks({
      load: (url, context, next) => {
        if (url.endsWith("/src/cli/daemon-process.ts")) process.kill(process.pid, "${signal}");
        return next(url, context);
      },
    });`;
    const env = { DATABASE_URL: "postgres://u:canary@127.0.0.1:1/d", METRICS_HTTP_ENABLED: "false" };
    const { code, err } = await execute(CHECKOUT, ["run"], { env, preload });
    expect([code, err]).toStrictEqual([0, ""]);
  });

  test("refuse a configuration before anything is contacted", async () => {
    const { code, out, err } = await execute(METRICS, ["run"], { env: {} });
    expect([code, out]).toStrictEqual([2, ""]);
    expect(err).toMatch(/^metrics: DATABASE_URL is not set.*\n$/);
  });

  test("exit with 3 and one line when the database cannot be reached", async () => {
    const env = { DATABASE_URL: "postgres://u:canary@127.0.0.1:1/d" };
    const { code, out, err } = await execute(SNAPSHOT, [], { env });
    expect([code, out]).toStrictEqual([3, ""]);
    expect(err).toMatch(/^snapshot: .*ECONNREFUSED.*\n$/);
    expect(err).not.toContain("canary");
  });
});
