/**
 * The verbs and their flags. What a verb does is loaded when it is called: a start consists of little but loading, and
 * `snapshot` has no use for charts.
 */
import { type Command, Option } from "commander";
import { type Config, loadConfig } from "../config.ts";
import type { ReadExplanations } from "./explain.ts";
import { defineExplain } from "./explain-command.ts";
import type { ReadHistory } from "./history.ts";
import { defineHistory } from "./history-command.ts";
import {
  type CommonFlags,
  collect,
  configOption,
  durationOf,
  EXIT_CODES,
  eventOf,
  examples,
  formatOf,
  jsonOption,
  outputOption,
  timeoutOption,
  wantsJson,
  wholeNumber,
} from "./options.ts";
import type { ReadSimulation } from "./simulate.ts";
import { defineSimulate } from "./simulate-command.ts";
import type { ReadSnapshot } from "./snapshot.ts";
import type { Terminal } from "./terminal.ts";
import type { Verify } from "./verify.ts";

/** What verbs do beyond printing. */
export type Verbs = {
  readonly run: (config: Config) => Promise<number>;
  readonly readSnapshot: ReadSnapshot;
  readonly verify: Verify;
  readonly readHistory: ReadHistory;
  readonly readExplanations: ReadExplanations;
  readonly readSimulation: ReadSimulation;
};

type Define = (command: Command, terminal: Terminal, verbs: Verbs, done: (exitCode: number) => void) => void;
type SnapshotFlags = CommonFlags & {
  readonly project: readonly string[];
  readonly all?: boolean;
  readonly wide?: boolean;
  readonly requireDefined?: boolean;
  readonly watch?: number;
  readonly at?: bigint;
  readonly color: boolean;
  readonly timeout: number;
};

export const defineMetrics: Define = (command, terminal, verbs, done) => {
  command
    .description("Rolling merge metrics and policy crossings for the Damascus orchestrator")
    .addHelpText("before", examples("metrics run", "metrics snapshot --json", "metrics config --check"))
    .addHelpText("after", EXIT_CODES);
  defineRun(command.command("run"), terminal, verbs, done);
  defineSnapshot(command.command("snapshot"), terminal, verbs, done);
  defineHistory(command.command("history"), terminal, verbs.readHistory, done);
  defineExplain(command.command("explain"), terminal, verbs.readExplanations, done);
  defineSimulate(command.command("simulate"), terminal, verbs.readSimulation, done);
  defineVerify(command.command("verify"), terminal, verbs, done);
  defineConfig(command.command("config"), terminal, verbs, done);
  defineHealth(command.command("health"), terminal, verbs, done);
  defineSchema(command.command("schema"), terminal, verbs, done);
};

const defineRun: Define = (command, terminal, verbs, done) => {
  command
    .description("run the daemon until SIGTERM or SIGINT")
    .addHelpText(
      "before",
      examples("metrics run", "METRICS_LOG_LEVEL=debug metrics run --config ./metrics.json"),
    )
    .addOption(configOption())
    .action(async (flags: CommonFlags) => {
      done(await verbs.run(loadConfig(terminal.env, { configFile: flags.config })));
    });
};

export const defineSnapshot: Define = (command, terminal, verbs, done) => {
  const name = command.parent === null ? "snapshot" : "metrics snapshot";
  command
    .description("show the current values, read from the log alone; works while the daemon is down")
    .addHelpText(
      "before",
      examples(
        name,
        `${name} --project atlas --project borealis`,
        `${name} --json | jq '.metrics[] | select(.scope == "global")'`,
        `${name} | grep '^first_pass_merge_rate'`,
        `${name} --watch`,
        `${name} --at 48213`,
      ),
    )
    .addOption(
      new Option("--project <name>", "only this project; may be repeated")
        .argParser(collect)
        .default([], "the busiest"),
    )
    .addOption(new Option("--all", "all projects").conflicts("project"))
    .addOption(
      new Option("--watch [interval]", "look again every 2s, or as often as is said, until interrupted")
        .argParser(durationOf(100, 3_600_000))
        .preset("2s")
        .conflicts(["requireDefined", "at"]),
    )
    .addOption(new Option("--at <event>", "the values just after this merge was recorded").argParser(eventOf))
    .option("--wide", "counts, gates and bounds also where they do not fit or nobody looks")
    .option(
      "--require-defined",
      "exit with 4 when a global reading, or a project's effective one, is undefined",
    )
    .addOption(jsonOption())
    .addOption(outputOption("jsonl"))
    .option("--no-color", "no colours, even on a terminal")
    .addOption(configOption())
    .addOption(timeoutOption("5s"))
    .addHelpText("after", EXIT_CODES)
    .action(async (flags: SnapshotFlags) => {
      const {
        project: projects,
        all = false,
        wide = false,
        requireDefined = false,
        color: colour,
        timeout: timeoutMs,
      } = flags;
      const { at, watch: watchMs = null } = flags;
      const options = { projects, all, wide, requireDefined, colour, timeoutMs, at, watchMs };
      const format = formatOf(flags);
      const { showSnapshot } = await import("./snapshot.ts");
      done(
        await showSnapshot({ ...options, format, configFile: flags.config }, terminal, verbs.readSnapshot),
      );
    });
};

const defineVerify: Define = (command, terminal, verbs, done) => {
  command
    .description("recompute every recorded number from the recorded facts and tell what differs")
    .addHelpText(
      "before",
      examples(
        "metrics verify",
        "metrics verify --limit 100",
        "metrics verify --json | jq .differences.by_kind",
      ),
    )
    .addOption(
      new Option("--limit <count>", "differences that are told one by one; all are counted")
        .argParser(wholeNumber(0, 100_000))
        .default(20),
    )
    .addOption(jsonOption())
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(timeoutOption("30s"))
    .addHelpText("after", EXIT_CODES)
    .action(async (flags: CommonFlags & { readonly limit: number; readonly timeout: number }) => {
      const { limit, timeout: timeoutMs, config: configFile } = flags;
      const { showVerification } = await import("./verify.ts");
      done(
        await showVerification(
          { limit, timeoutMs, configFile, json: wantsJson(flags) },
          terminal,
          verbs.verify,
        ),
      );
    });
};

const defineConfig: Define = (command, terminal, _verbs, done) => {
  command
    .description("show the effective settings and where each comes from, without secrets")
    .addHelpText("before", examples("metrics config", "metrics config --check --config ./metrics.json"))
    .option("--check", "only say whether the configuration is valid")
    .addOption(jsonOption())
    .addOption(outputOption())
    .addOption(configOption())
    .action(async (flags: CommonFlags & { readonly check?: boolean }) => {
      const options = { configFile: flags.config, json: wantsJson(flags), check: flags.check ?? false };
      const { showConfig } = await import("./config.ts");
      done(await showConfig(options, terminal));
    });
};

const defineHealth: Define = (command, terminal, _verbs, done) => {
  command
    .description("ask the daemon on this host whether it is ready; exits with 1 where it is not")
    .addHelpText("before", examples("metrics health", "metrics health --timeout 2s"))
    .addOption(configOption())
    .addOption(timeoutOption("3s"))
    .action(async (flags: CommonFlags & { readonly timeout: number }) => {
      const { probe } = await import("./health.ts");
      const { well, says } = await probe(
        loadConfig(terminal.env, { configFile: flags.config }).http,
        flags.timeout,
      );
      await terminal.out(`${says}\n`);
      done(well ? 0 : 1);
    });
};

const defineSchema: Define = (command, terminal, _verbs, done) => {
  command
    .description("print the JSON Schemas of the events and documents, or the AsyncAPI document")
    .addHelpText(
      "before",
      examples("metrics schema", "metrics schema metric.threshold_crossed", "metrics schema asyncapi"),
    )
    .argument("[name]", "which one; without it they are listed")
    .addOption(jsonOption())
    .addOption(outputOption())
    .action(async (name: string | undefined, flags: CommonFlags) => {
      const { showSchema } = await import("./schema.ts");
      done(await showSchema({ name, json: wantsJson(flags) }, terminal));
    });
};
