/**
 * Explores many schedules of one kind, and prints how to run a failing one again.
 *
 * SIM_RUNS, SIM_SEED and SIM_PATH in the environment replace a search's own; the command that is printed for a failing
 * schedule uses them.
 */
import fc from "fast-check";
import { afterAll, beforeAll, type TestContext, vi } from "vitest";
import { type Kind, type Scenario, SHORT, type Size, scenarios } from "./scenario.ts";
import { stubTimers } from "./virtual-time.ts";
import { type Options, simulate } from "./world.ts";

export type Search = {
  readonly kind: Kind;
  readonly runs: number;
  readonly size?: Size;
  readonly options?: Omit<Options, "kind" | "trace">;
  readonly seed?: number;
};

export type Found = {
  readonly runs: number;
  readonly failure: Failure | null;
};

type Failure = {
  readonly seed: number;
  readonly path: string;
  readonly scenario: Scenario;
  readonly error: unknown;
};

const STEPS_SHOWN = 500;
/** Frequent steps that are left out of the story. */
const BESIDE = /^time passes$|^\(an incident/;

/** For a file of simulations: their timers are virtual. */
export function withVirtualTime(): void {
  beforeAll(stubTimers);
  afterAll(() => {
    vi.unstubAllGlobals();
  });
}

/** The story of the first schedule that fails; empty if none does. */
export async function failing({ task }: TestContext, search: Search): Promise<string> {
  const { SIM_RUNS, SIM_SEED, SIM_PATH } = process.env;
  const { failure } = await explore(
    {
      ...search,
      runs: SIM_RUNS === undefined ? search.runs : Number(SIM_RUNS),
      ...(SIM_SEED === undefined ? {} : { seed: Number(SIM_SEED) }),
    },
    { shrinks: SIM_PATH === undefined, ...(SIM_PATH === undefined ? {} : { path: SIM_PATH }) },
  );
  if (failure === null) return "";
  const { seed, path, scenario, error } = failure;
  const steps = (await stepsOf(search, failure)).filter((step) => !BESIDE.test(step));
  const left = steps.length - STEPS_SHOWN;
  return [
    String(error),
    "",
    "Again:",
    `  SIM_SEED=${seed} SIM_PATH=${path} npx vitest run --project unit ${task.file.name} -t '${task.name}'`,
    "",
    JSON.stringify(scenario),
    "",
    ...steps.slice(0, STEPS_SHOWN),
    ...(left > 0 ? [`(${left} more steps)`] : []),
  ].join("\n");
}

/** Runs schedules until one fails. */
export async function explore(
  search: Search,
  { shrinks, path }: { readonly shrinks: boolean; readonly path?: string },
): Promise<Found> {
  const details = await fc.check(property(search), {
    numRuns: search.runs,
    endOnFailure: !shrinks,
    ...(search.seed === undefined ? {} : { seed: search.seed }),
    ...(path === undefined ? {} : { path }),
  });
  const { counterexample, counterexamplePath, seed, numRuns, errorInstance } = details;
  if (counterexample === null) return { runs: numRuns, failure: null };
  const failure = { seed, path: counterexamplePath ?? "", scenario: counterexample[1], error: errorInstance };
  return { runs: numRuns, failure };
}

/** What happened in one schedule. */
async function stepsOf(search: Search, { seed, path }: Failure): Promise<string[]> {
  const steps: string[] = [];
  await fc.check(
    property(search, (step) => steps.push(step)),
    { seed, path, endOnFailure: true },
  );
  return steps;
}

function property({ kind, size = SHORT, options }: Search, trace?: (line: string) => void) {
  // A scheduler's clones do not all choose alike, and shrinking clones: so each run makes its own, from a number.
  const order = fc.noShrink(fc.integer());
  return fc.asyncProperty(order, scenarios(kind, size), async (seed, scenario) => {
    const traced = trace === undefined ? {} : { trace };
    await simulate(schedulerOf(seed), scenario, { kind: kind.name, ...options, ...traced });
  });
}

export function schedulerOf(seed: number): fc.Scheduler {
  return fc.sample(fc.scheduler(), { seed, numRuns: 1 })[0] as fc.Scheduler;
}
