/** What an operator does with the compose services, and what happens to them, in the order of a long day. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../support/until.ts";
import { mergesOf, PROGRESS, WRONG } from "./judge.ts";
import { type Inspected, Stack, whyNot } from "./stack.ts";

const reason = await whyNot();
if (reason !== null) process.stdout.write(`The compose services are not tested here: ${reason}\n`);

const GRACE_MS = 10_000;
const LOAD = 700;

describe.skipIf(reason !== null)("docker compose", () => {
  const stack = new Stack();

  beforeAll(async () => {
    // Apart from the first step, so that its time is that of a start.
    await stack.compose("--profile", "demo", "build");
  });

  afterAll(async () => {
    await stack[Symbol.asyncDispose]();
  });

  async function recorded(): Promise<number> {
    const [merges, done] = ((await stack.sql(PROGRESS))[0] ?? "").split("|").map(Number);
    return merges === done ? (done ?? 0) : -1;
  }

  /** Each merge is recorded, once, with the right numbers; returns how many there are. */
  async function exactlyOnce(atLeast: number): Promise<number> {
    const merges = await until(
      `${atLeast} merges recorded`,
      async () => {
        const done = await recorded();
        return done >= atLeast && done;
      },
      30_000,
    );
    expect(await stack.sql(WRONG)).toStrictEqual([]);
    return merges;
  }

  async function healthy(service: string, count: number): Promise<Inspected[]> {
    return until(
      `${count} healthy ${service}`,
      async () => {
        const all = await stack.containers(service);
        return all.length === count && all.every((each) => each.State.Health?.Status === "healthy") && all;
      },
      40_000,
    );
  }

  test("up --detach --build --wait", async () => {
    await stack.compose("up", "--detach", "--build", "--wait");
    const [container] = await stack.containers("metrics");
    expect(container?.State).toMatchObject({ Status: "running", Health: { Status: "healthy" } });
  });

  test("exec metrics snapshot, also --json; run --rm metrics config; logs --follow metrics", async () => {
    expect(await stack.compose("exec", "-T", "metrics", "snapshot")).toMatch(
      /^first_pass_merge_rate = undefined \(n=0\/50\) +trust UNKNOWN +up>=85% down<70%$/m,
    );
    expect(await stack.snapshot()).toMatchObject({ schema_version: 1, daemon: { running: 1 } });
    expect(await stack.compose("exec", "-T", "metrics", "metrics", "health")).toBe("ready\n");
    expect(await stack.compose("run", "--rm", "-T", "metrics", "config")).toMatch(
      /^database\.password +environment +\(secret\)$/m,
    );
    expect((await stack.try("run", "--rm", "-T", "metrics", "nonsense")).code).toBe(2);
    const follow = spawn("docker", [
      "compose",
      "--project-name",
      stack.project,
      "logs",
      "--no-log-prefix",
      "--follow",
      "metrics",
    ]);
    try {
      const [line] = (await once(createInterface({ input: follow.stdout }), "line")) as [string];
      // Some versions of compose write cursor codes even into a pipe.
      expect(JSON.parse(line.slice(line.indexOf("{")))).toMatchObject({ event: "daemon.starting" });
    } finally {
      follow.kill();
    }
  });

  test("the container is locked down, and holds nothing but what it needs", async () => {
    const [container] = await stack.containers("metrics");
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(container).toMatchObject({
      Config: { User: "node", Labels: { "org.opencontainers.image.version": manifest.version } },
      HostConfig: {
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges:true"],
        Init: true,
        PidsLimit: 128,
        Memory: 512 * 1024 * 1024,
        NanoCpus: 1_000_000_000,
        PortBindings: {},
      },
    });
    const inside = async (script: string): Promise<string> => {
      const { out, err } = await stack.exec("metrics", "sh", "-c", script);
      return (out + err).trim();
    };
    expect(await inside("id -u; grep -hE '^(CapEff|CapBnd|NoNewPrivs)' /proc/$(pidof node)/status")).toMatch(
      /^1000\nCapEff:\s+0{16}\nCapBnd:\s+0{16}\nNoNewPrivs:\s+1$/,
    );
    expect(await inside("cat /proc/[0-9]*/comm | sort -u | grep -E 'npm|sh$' | grep -v '^sh$'")).toBe("");
    expect(await inside("touch /app/x 2>&1; touch /tmp/x")).toMatch(/^.*Read-only file system$/);
    expect(await inside("command -v npm npx corepack yarn; ls /app")).toBe("bin\nconfig\ndist\npackage.json");
    const node = (code: string): Promise<string> => inside(`node -e '${code}'`);
    expect(await node('require("child_process").execSync("id")')).toContain("ERR_ACCESS_DENIED");
    expect(await node('require("fs").writeFileSync("/tmp/x", "")')).toContain("ERR_ACCESS_DENIED");
    expect(await node("console.log({}.__proto__)")).toBe("undefined");
  });

  test(`two replicas record ${LOAD} merges of a hasty orchestrator, each once`, async () => {
    await stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "metrics=2");
    expect((await stack.snapshot()).daemon.running).toBe(2);
    const orchestrator = (
      await stack.compose(
        "--profile",
        "demo",
        "run",
        "--detach",
        "orchestrator",
        "--fast",
        "--merges",
        `${LOAD}`,
      )
    ).trim();
    await until(`${LOAD} merges`, async () => (await recorded()) >= LOAD, 90_000);
    await stack.docker("stop", orchestrator);
    await exactlyOnce(LOAD);
  });

  test("one is killed with -9 among merges, starts again and is well; nothing is lost or repeated", async () => {
    const before = await exactlyOnce(0);
    await stack.sql(mergesOf(200));
    // Its container ends with the process.
    await stack.exec("metrics", "sh", "-c", "kill -9 $(pidof node)");
    await stack.sql(mergesOf(200));
    const restarts = async (): Promise<number> =>
      (await stack.containers("metrics")).reduce((sum, { RestartCount }) => sum + RestartCount, 0);
    await until("a restart", async () => (await restarts()) === 1, 20_000);
    await healthy("metrics", 2);
    expect(await exactlyOnce(before + 400)).toBe(before + 400);
  });

  test("restart db: both find it again, without a restart of theirs", async () => {
    const before = await exactlyOnce(0);
    const starts = async (): Promise<number[]> =>
      (await stack.containers("metrics")).map(({ RestartCount }) => RestartCount);
    const known = await starts();
    await stack.compose("restart", "db");
    await healthy("db", 1);
    await stack.sql(mergesOf(50));
    await exactlyOnce(before + 50);
    await until("ready", async () => (await stack.exec("metrics", "metrics", "health")).code === 0);
    expect(await starts()).toStrictEqual(known);
  });

  test("a partition: not ready meanwhile; afterwards everything is recorded", {
    timeout: 120_000,
  }, async () => {
    const before = await exactlyOnce(0);
    const network = `${stack.project}_default`;
    const names = (await stack.containers("metrics")).map(({ Id }) => Id);
    await Promise.all(names.map((name) => stack.docker("network", "disconnect", network, name)));
    await stack.sql(mergesOf(50));
    const health = (): ReturnType<Stack["exec"]> => stack.exec("metrics", "metrics", "health");
    const { out } = await until(
      "not ready",
      async () => {
        const answer = await health();
        return answer.code === 1 && answer;
      },
      40_000,
    );
    expect(out).toMatch(/^not ready: /);
    expect((await stack.exec("metrics", "snapshot", "--timeout", "2s")).code).toBe(3);
    await Promise.all(
      names.map((name) => stack.docker("network", "connect", "--alias", "metrics", network, name)),
    );
    await until("ready", async () => (await health()).code === 0, 40_000);
    await exactlyOnce(before + 50);
    // The server gives up its halves of the old connections (config/grants.sql), and so counts no daemon as running.
    await until("two running", async () => (await stack.snapshot()).daemon.running === 2, 50_000);
  });

  test("stop: each ends with 0 within the grace period; the numbers are readable and the same after a start", async () => {
    const { metrics } = await stack.snapshot();
    const started = performance.now();
    await stack.compose("stop", "metrics");
    expect(performance.now() - started).toBeLessThan(GRACE_MS);
    const ends = (await stack.containers("metrics")).map(({ State }) => [State.Status, State.ExitCode]);
    expect(ends).toStrictEqual([
      ["exited", 0],
      ["exited", 0],
    ]);
    // Half a connection that the partition left behind counts as running until the server has given it up.
    const alone = await until(
      "none running",
      async () => {
        const text = await stack.compose("run", "--rm", "-T", "metrics", "snapshot", "--json");
        const snapshot = JSON.parse(text) as { daemon: { running: number } };
        return snapshot.daemon.running === 0 ? snapshot : null;
      },
      60_000,
    );
    expect(alone).toMatchObject({ metrics });
    await stack.compose("up", "--detach", "--wait", "--no-recreate");
    expect((await stack.snapshot()).metrics).toStrictEqual(metrics);
  });

  test("old rows deleted as docs/compose.md says: a restart continues the windows", async () => {
    expect(await stack.exec("metrics", "metrics", "verify")).toMatchObject({ code: 0 });
    const { metrics, as_of } = await stack.snapshot();
    const [deletion] =
      /(?<=^```sql\n)DELETE[^]*?(?=^```$)/m.exec(readFileSync("docs/compose.md", "utf8")) ?? [];
    expect(deletion).toContain("interval '90 days'");
    const rows = async (): Promise<number> => Number(await stack.sql("SELECT count(*) FROM events_outbox"));
    const before = await rows();
    await stack.sql(String(deletion).replace("90 days", "0 days"));
    expect(await rows()).toBeLessThan(before / 2);
    await stack.compose("restart", "metrics");
    await healthy("metrics", 1);
    expect((await stack.snapshot()).metrics).toStrictEqual(metrics);
    await stack.sql(mergesOf(1));
    const { seq } = as_of;
    await until("one merge more", async () => (await stack.snapshot()).as_of.seq === seq + 1);
  });

  test("no log contains a password, and every line of a daemon is JSON", async () => {
    const everything = await stack.compose("logs", "--no-color", "--no-log-prefix");
    expect(everything).not.toBe("");
    for (const password of stack.passwords) expect(everything).not.toContain(password);
    const [container] = await stack.containers("metrics");
    const lines = (await stack.docker("logs", String(container?.Id))).trim().split("\n");
    const events = lines.map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events).toContain("shutdown.completed");
    expect(events).not.toContain("daemon.fatal");
  });
});
