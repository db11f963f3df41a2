/** `npm run demo` as a person runs it, hurried. It brings its own PostgreSQL. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = `${ROOT}.data/demo`;

describe("the demo", () => {
  it("shows all four crossings, a snapshot, and that plain SQL agrees; then leaves nothing behind", async () => {
    const { code, output } = await start("--fast", "--exit").ended;
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output.match(/(?<=[▲▼] )(trust|scope_overlap): \w+ → \w+/g)?.toSorted()).toEqual([
      "scope_overlap: high → LOW",
      "scope_overlap: low → HIGH",
      "scope_overlap: unknown → LOW",
      "trust: high → LOW",
      "trust: low → HIGH",
      "trust: unknown → HIGH",
    ]);
    expect(output.match(/reason=attempts_invalid/g)).toHaveLength(1);
    expect(output.match(/^first_pass_merge_rate = \d+\.\d% \(n=50\/50\)/gm)).toHaveLength(1);
    expect(output).toContain("\nplain SQL agrees: 18 readings, 2 gates, 258 merges recorded once each");
    expect(existsSync(FOLDER)).toBe(false);
  });

  it("continues until it is stopped, takes merges and SQL by hand meanwhile, and refuses a second one beside it", async () => {
    expect(await start("merge").ended).toMatchObject({
      code: 1,
      output: "no demo runs. Start one in another terminal: npm run demo\n",
    });
    const demo = start("--fast", "--merges", "110", "--seed", "5");
    await demo.says(/Ctrl-C stops everything/);

    const url = /^DATABASE_URL='(.+)'$/m.exec(readFileSync(`${FOLDER}/env`, "utf8"))?.[1];
    expect(url).toContain("postgres://damascus_metrics:");
    const [, command = ""] = /npm run demo -- (merge .+)/.exec(demo.output()) ?? [];
    const merged = await start(...command.split(" ")).ended;
    expect(merged).toMatchObject({ code: 0 });
    expect(merged.output.match(/^merge +\d+ +\S+ +first pass +\d+\.\d%  conflicts +\d+\.\d%/gm)).toHaveLength(
      20,
    );
    const crossed = ["▼ trust: high → LOW", "▲ scope_overlap: low → HIGH"];
    for (const crossing of crossed) expect(merged.output).toContain(crossing);
    for (const crossing of crossed) await demo.says(new RegExp(crossing));
    const query =
      "SELECT payload->>'to' AS to FROM events_outbox WHERE kind = 'metric.threshold_crossed' ORDER BY id DESC LIMIT 2";
    const newest = await start("sql", query).ended;
    expect(newest).toMatchObject({ code: 0 });
    expect(new Set(newest.output.trimEnd().split("\n"))).toStrictEqual(
      new Set(['{"to":"low"}', '{"to":"high"}']),
    );
    expect(await start("sql", "SELECT nonsense").ended).toMatchObject({
      code: 1,
      output: 'column "nonsense" does not exist\n',
    });
    const unusable = await start("merge", "--project", "").ended;
    expect(unusable).toMatchObject({ code: 0, output: expect.stringContaining("reason=project_missing") });

    const second = start("--fast");
    expect(await second.ended).toMatchObject({
      code: 1,
      output: expect.stringContaining("The demo runs already"),
    });

    demo.child.kill("SIGINT");
    expect(await demo.ended).toMatchObject({ code: 0 });
    expect(existsSync(FOLDER)).toBe(false);
  });

  it.each(["--merges 0", "--seed -1", "--fsat", "more"])("refuses %s", async (args) => {
    const refused = await start(...args.split(" ")).ended;
    expect(refused).toEqual({ code: 2, output: expect.stringMatching(/^error: /) });
  });
});

function start(...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, ["demo/main.ts", ...args], {
    cwd: ROOT,
    // The checkout's daemon, as for a person.
    env: { ...process.env, NO_COLOR: "1", TEST_ENTRY: undefined },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const heard = new EventTarget();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      heard.dispatchEvent(new Event("text"));
    });
  }
  const ended = once(child, "close").then(([code]: unknown[]) => ({ code, output }));
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  return {
    child,
    ended,
    output: () => output,
    async says(what: RegExp): Promise<void> {
      while (!what.test(output)) {
        const over = await Promise.race([once(heard, "text").then(() => false), ended.then(() => true)]);
        if (over) throw new Error(`the demo ended without saying ${what.source}:\n${output}`);
      }
    },
  };
}
