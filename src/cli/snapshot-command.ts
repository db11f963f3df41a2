/** The flags of `metrics snapshot`, which is also `snapshot`. */
import { type Command, Option } from "commander";
import {
  type CommonFlags,
  colourOption,
  configOption,
  durationOf,
  eventOf,
  examples,
  formatOf,
  jsonOption,
  outputOption,
  projectOption,
  timeoutOption,
} from "./options.ts";
import type { ReadSnapshot, SnapshotOptions } from "./snapshot.ts";
import type { Terminal } from "./terminal.ts";

type Flags = CommonFlags & {
  readonly project: readonly string[];
  readonly all?: boolean;
  readonly wide?: boolean;
  readonly requireDefined?: boolean;
  readonly watch?: number;
  readonly at?: bigint;
  readonly color: boolean;
  readonly timeout: number;
};

export function defineSnapshot(
  command: Command,
  terminal: Terminal,
  read: ReadSnapshot,
  done: (exitCode: number) => void,
): void {
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
    .addOption(projectOption("the busiest"))
    .addOption(new Option("--all", "all projects").conflicts("project"))
    .addOption(
      new Option("--watch [interval]", "look again and again, as often as this, until interrupted")
        .argParser(durationOf(100, 3_600_000))
        .preset("2s")
        .conflicts(["requireDefined", "at"]),
    )
    .addOption(new Option("--at <event>", "the values just after this merge was recorded").argParser(eventOf))
    .option("--wide", "counts, gates and bounds even into a pipe or on a narrow terminal")
    .option(
      "--require-defined",
      "exit with 4 when a global reading, or a project's effective one, is undefined",
    )
    .addOption(jsonOption())
    .addOption(outputOption("jsonl"))
    .addOption(colourOption())
    .addOption(configOption())
    .addOption(timeoutOption("5s"))
    .action(async (flags: Flags) => {
      const chosen: SnapshotOptions = {
        configFile: flags.config,
        format: formatOf(flags),
        at: flags.at,
        watchMs: flags.watch ?? null,
        projects: flags.project,
        all: flags.all ?? false,
        wide: flags.wide ?? false,
        requireDefined: flags.requireDefined ?? false,
        colour: flags.color,
        timeoutMs: flags.timeout,
      };
      const { showSnapshot } = await import("./snapshot.ts");
      done(await showSnapshot(chosen, terminal, read));
    });
}
