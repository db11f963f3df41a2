/** What verbs do beyond printing. Each part is loaded when it is called: most of a short command's time is loading. */
import type { Config } from "../config.ts";
import type { ExplainOptions } from "./read-explanation.ts";
import type { HistoryOptions } from "./read-history.ts";
import type { SimulateOptions } from "./read-simulation.ts";
import type { SnapshotOptions } from "./read-snapshot.ts";
import type { VerifyOptions } from "./read-verification.ts";
import type { Terminal } from "./terminal.ts";

export const VERBS = {
  run: async (config: Config) => (await import("./daemon-process.ts")).run(config),
  readSnapshot: async (config: Config, options: SnapshotOptions) =>
    (await import("./read-snapshot.ts")).readSnapshot(config, options),
  readHistory: async (config: Config, options: HistoryOptions) =>
    (await import("./read-history.ts")).readHistory(config, options),
  readExplanations: async (config: Config, options: ExplainOptions) =>
    (await import("./read-explanation.ts")).readExplanations(config, options),
  readSimulation: async (config: Config, options: SimulateOptions) =>
    (await import("./read-simulation.ts")).readSimulation(config, options),
  verify: async (config: Config, options: VerifyOptions) =>
    (await import("./read-verification.ts")).readVerification(config, options),
};

/** Tests pass their own. */
export type Verbs = typeof VERBS;

/** What a verb works with. */
export type Cli = {
  readonly terminal: Terminal;
  readonly verbs: Verbs;
  /** Sets the exit code; 0 where it is not called. */
  readonly done: (exitCode: number) => void;
};
