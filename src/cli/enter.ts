/** The process around a command line: what is needed is loaded late, and nothing ends without a word. */
import type { Verbs } from "./commands.ts";
import { type Executable, main, messageOf } from "./program.ts";
import { processTerminal } from "./terminal.ts";

/** A verb loads only its own libraries: `snapshot` has no use for a web server. */
const verbs: Verbs = {
  run: async (config) => (await import("./run.ts")).run(config),
  readSnapshot: async (config, options) => (await import("./read-snapshot.ts")).readSnapshot(config, options),
  readHistory: async (config, options) => (await import("./read-history.ts")).readHistory(config, options),
  readExplanations: async (config, options) =>
    (await import("./read-explanation.ts")).readExplanations(config, options),
  readSimulation: async (config, options) =>
    (await import("./read-simulation.ts")).readSimulation(config, options),
  verify: async (config, options) =>
    (await import("./read-verification.ts")).readVerification(config, options),
};

/** Ends the process with the exit code of what the arguments asked for. */
export async function enter(executable: Executable): Promise<never> {
  // An unhandled rejection comes here as well. Nothing is known to be sound afterwards.
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${executable}: ${messageOf(error).join(" ")}\n`, () => process.exit(1));
  });
  process.exit(await main(executable, process.argv.slice(2), processTerminal, verbs));
}
