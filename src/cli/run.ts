/** `metrics run`: the daemon, until SIGTERM or SIGINT. */
import { configOf, sharedOptions } from "./options.ts";
import { ENVIRONMENT, type Verb } from "./verb.ts";

export const run: Verb = {
  name: "run",
  what: "run the daemon until SIGTERM or SIGINT",
  examples: ["metrics run", "METRICS_LOG_LEVEL=debug metrics run --config ./metrics.json"],
  environment: ENVIRONMENT.daemon,
  exits: { 0: "ended by SIGTERM or SIGINT", 1: true, 2: true, 3: "the database is not fit for the daemon" },
  options: sharedOptions({ config: true }),
  run: async (flags, { terminal, work }) => work.run(await configOf(terminal, flags)),
};
