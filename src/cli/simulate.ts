/** `metrics simulate`: what other windows, bounds or verdicts would have made of the recorded history. */
import { type Config, loadConfig } from "../config.ts";
import type { MetricSettings } from "../core/metric.ts";
import { jsonText, safe } from "../text/safe.ts";
import { type Changes, otherSettings } from "./other-settings.ts";
import { withProgress } from "./progress-line.ts";
import type { Simulated, SimulateOptions } from "./read-simulation.ts";
import { renderSimulation } from "./simulate-text.ts";
import { meansOf, type Terminal } from "./terminal.ts";
import { namingUnreadable } from "./unreadable-rows.ts";

export type ReadSimulation = (config: Config, options: SimulateOptions) => Promise<Simulated>;

export type SimulateFlags = {
  /** What is simulated, not what is in force. */
  readonly configFile?: string | undefined;
  readonly changes: Changes;
  readonly projects: readonly string[];
  readonly last: number;
  readonly plot: boolean;
  readonly json: boolean;
  readonly ascii: boolean;
  readonly colour: boolean;
  readonly timeoutMs: number;
};

/** Ends the command as a wrong use of it. */
type Refuse = (why: string) => never;

/** Rows of a plot. */
const HEIGHT = 8;

/** @throws ConfigError, Unreadable, and whatever `refuse` throws. */
export async function showSimulation(
  flags: SimulateFlags,
  terminal: Terminal,
  read: ReadSimulation,
  refuse: Refuse,
): Promise<number> {
  // Today's settings are the daemon's: what `--config` names is to be tried.
  const config = loadConfig(terminal.env);
  const metrics = changed(flags, terminal, config, refuse);
  const { timeoutMs, projects, last } = flags;
  const simulated = await namingUnreadable(terminal, (unreadable) =>
    withProgress("simulating", terminal, (progress) =>
      read(config, { timeoutMs, metrics, projects, last, progress, unreadable }),
    ),
  );
  await terminal.out(
    flags.json
      ? jsonText(simulated.document, 2)
      : renderSimulation(
          flags.plot ? simulated : { ...simulated, plots: [] },
          { today: config.metrics, simulated: metrics },
          { ...meansOf(terminal, flags), height: HEIGHT },
        ),
  );
  return 0;
}

function changed(
  { configFile, changes }: SimulateFlags,
  terminal: Terminal,
  config: Config,
  refuse: Refuse,
): MetricSettings[] {
  const { window, upper, lower, verdicts } = changes;
  if (configFile === undefined && verdicts === null && window.length + upper.length + lower.length === 0)
    refuse("say what to simulate: --config, --window, --upper, --lower or --verdicts");
  const base = configFile === undefined ? config : loadConfig(terminal.env, { configFile });
  try {
    return otherSettings(base.metrics, changes);
  } catch (error) {
    return refuse(safe(error instanceof Error ? error.message : String(error), 500));
  }
}
