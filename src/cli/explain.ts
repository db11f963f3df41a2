/** `metrics explain`: the merges behind a number, which one leaves next, and how many it takes to move the gate. */
import { type Config, loadConfig } from "../config.ts";
import type { Explanations } from "../core/explanation.ts";
import type { MetricName } from "../core/metric.ts";
import { count } from "../text/figures.ts";
import { jsonText, safe } from "../text/safe.ts";
import { renderExplanations } from "./explain-text.ts";
import type { ExplainOptions } from "./read-explanation.ts";
import { meansOf, type Terminal } from "./terminal.ts";
import { namingUnreadable } from "./unreadable-rows.ts";

export type ReadExplanations = (config: Config, options: ExplainOptions) => Promise<Explanations>;

export type ExplainFlags = {
  readonly configFile?: string | undefined;
  readonly metric: MetricName | null;
  readonly projects: readonly string[];
  readonly json: boolean;
  readonly ascii: boolean;
  readonly colour: boolean;
  readonly timeoutMs: number;
};

/** @throws ConfigError, Unreadable */
export async function showExplanations(
  flags: ExplainFlags,
  terminal: Terminal,
  read: ReadExplanations,
): Promise<number> {
  const { metric, projects, timeoutMs } = flags;
  const config = loadConfig(terminal.env, { configFile: flags.configFile });
  const document = await namingUnreadable(terminal, (unreadable) =>
    read(config, { timeoutMs, metric, projects, unreadable }),
  );
  await terminal.out(
    flags.json
      ? jsonText(document, 2)
      : renderExplanations(document.explanations, {
          ...meansOf(terminal, flags),
          listColumns: metric === null ? null : (terminal.columns() ?? Number.POSITIVE_INFINITY),
        }),
  );
  await tellMissing(document, projects, terminal);
  return 0;
}

/** What a reader might wonder about, on standard error: projects nobody has heard of, and merges on their way. */
async function tellMissing(
  { explanations, lag }: Explanations,
  projects: readonly string[],
  terminal: Terminal,
): Promise<void> {
  for (const project of new Set(projects)) {
    if (!explanations.some((one) => one.project === project))
      await terminal.err(`project ${safe(project)}: no merges recorded\n`);
  }
  if (lag.merges > 0) await terminal.err(`not in these numbers yet: ${count(lag.merges, "merge")} due\n`);
}
