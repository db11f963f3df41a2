/**
 * All verbs; the flags of those that have few stand here, the others' in a file of their own. What a verb does is loaded
 * when it is called: a start consists of little but loading, and `snapshot` has no use for charts.
 */
import type { Command } from "commander";
import { type Config, loadConfig } from "../config.ts";
import type { ReadExplanations } from "./explain.ts";
import { defineExplain } from "./explain-command.ts";
import type { ReadHistory } from "./history.ts";
import { defineHistory } from "./history-command.ts";
import {
  type CommonFlags,
  configOption,
  examples,
  jsonOption,
  outputOption,
  timeoutOption,
  wantsJson,
} from "./options.ts";
import type { ReadSimulation } from "./simulate.ts";
import { defineSimulate } from "./simulate-command.ts";
import type { ReadSnapshot } from "./snapshot.ts";
import { defineSnapshot } from "./snapshot-command.ts";
import type { Terminal } from "./terminal.ts";
import type { Verify } from "./verify.ts";
import { defineVerify } from "./verify-command.ts";

/** What verbs do beyond printing. */
export type Verbs = {
  readonly run: (config: Config) => Promise<number>;
  readonly readSnapshot: ReadSnapshot;
  readonly verify: Verify;
  readonly readHistory: ReadHistory;
  readonly readExplanations: ReadExplanations;
  readonly readSimulation: ReadSimulation;
};

type Done = (exitCode: number) => void;

export function defineMetrics(command: Command, terminal: Terminal, verbs: Verbs, done: Done): void {
  command
    .description("Rolling merge metrics and policy crossings for the Damascus orchestrator")
    .addHelpText("before", examples("metrics run", "metrics snapshot --json", "metrics config --check"));
  defineRun(command.command("run"), terminal, verbs.run, done);
  defineSnapshot(command.command("snapshot"), terminal, verbs.readSnapshot, done);
  defineHistory(command.command("history"), terminal, verbs.readHistory, done);
  defineExplain(command.command("explain"), terminal, verbs.readExplanations, done);
  defineSimulate(command.command("simulate"), terminal, verbs.readSimulation, done);
  defineVerify(command.command("verify"), terminal, verbs.verify, done);
  defineConfig(command.command("config"), terminal, done);
  defineHealth(command.command("health"), terminal, done);
  defineSchema(command.command("schema"), terminal, done);
}

function defineRun(command: Command, terminal: Terminal, run: Verbs["run"], done: Done): void {
  command
    .description("run the daemon until SIGTERM or SIGINT")
    .addHelpText(
      "before",
      examples("metrics run", "METRICS_LOG_LEVEL=debug metrics run --config ./metrics.json"),
    )
    .addOption(configOption())
    .action(async (flags: CommonFlags) => {
      done(await run(loadConfig(terminal.env, { configFile: flags.config })));
    });
}

function defineConfig(command: Command, terminal: Terminal, done: Done): void {
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
}

function defineHealth(command: Command, terminal: Terminal, done: Done): void {
  command
    .description("ask the daemon on this host whether it is ready; exits with 1 where it is not")
    .addHelpText("before", examples("metrics health", "metrics health --timeout 2s"))
    .addOption(configOption())
    .addOption(timeoutOption("3s"))
    .action(async (flags: CommonFlags & { readonly timeout: number }) => {
      const { http } = loadConfig(terminal.env, { configFile: flags.config });
      const { probe } = await import("./health.ts");
      const { well, says } = await probe(http, flags.timeout);
      await terminal.out(`${says}\n`);
      done(well ? 0 : 1);
    });
}

function defineSchema(command: Command, terminal: Terminal, done: Done): void {
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
}
