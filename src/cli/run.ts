/** `metrics run`: the daemon, until SIGTERM or SIGINT. */
import type { Command } from "commander";
import { describe, ENVIRONMENT } from "./help.ts";
import { configOf, type SharedFlags, shared } from "./options.ts";
import type { Cli } from "./verbs.ts";

export function defineRun(command: Command, { terminal, verbs, done }: Cli): void {
  describe(command, {
    what: "run the daemon until SIGTERM or SIGINT",
    examples: ["metrics run", "METRICS_LOG_LEVEL=debug metrics run --config ./metrics.json"],
    environment: ENVIRONMENT.daemon,
    exits: { 0: "ended by SIGTERM or SIGINT", 1: true, 2: true, 3: "the database is not fit for the daemon" },
  });
  shared(command, { config: true }).action(async (flags: SharedFlags) => {
    done(await verbs.run(await configOf(terminal.env, flags)));
  });
}
