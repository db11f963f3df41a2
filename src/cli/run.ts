/** `metrics run`: the daemon, until SIGTERM or SIGINT. */
import type { Command } from "commander";
import { configOf, describe, type SharedFlags, shared } from "./options.ts";
import type { Cli } from "./verbs.ts";

export function defineRun(command: Command, { terminal, verbs, done }: Cli): void {
  describe(command, "run the daemon until SIGTERM or SIGINT", [
    "metrics run",
    "METRICS_LOG_LEVEL=debug metrics run --config ./metrics.json",
  ]);
  shared(command, { config: true }).action(async (flags: SharedFlags) => {
    done(await verbs.run(await configOf(terminal.env, flags)));
  });
}
