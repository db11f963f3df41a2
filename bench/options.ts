/** The options of the benchmark. */
import { Command, InvalidArgumentError } from "commander";

export const MEASURES = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10"] as const;
export type Measure = (typeof MEASURES)[number];

/** What says something within seconds on a machine that does other things as well. */
const IN_CI: ReadonlySet<Measure> = new Set(["P1", "P2", "P3", "P4", "P5", "P6", "P9"]);
const CI_REPEAT = 3;
/** Fewer are read in one page: the daemon would tell of no backlog, and so not how long it took. */
const SMALLEST = 2_000;

export type Options = {
  readonly merges: readonly number[];
  readonly repeat: number;
  readonly json: string | null;
  readonly only: ReadonlySet<Measure>;
  readonly ci: boolean;
};

/** Prints help and exits with 0, or an error and exits with 2. */
export function parseOptions(args: readonly string[]): Options {
  const command = new Command("npm run bench --")
    .description("Measures the product against its goals, on a PostgreSQL of its own.")
    .option("--merges <sizes>", "histories of so many merges, ascending", sizes, [10_000, 100_000, 500_000])
    .option("--repeat <times>", "how often each variant is measured", times, 5)
    .option("--json <file>", "the findings as JSON as well")
    .option("--only <measures>", `some of ${MEASURES.join(", ")}; otherwise all`, measures)
    .option(
      "--ci",
      `the smallest size and ${[...IN_CI].join(", ")}, briefly; fails where a ratio misses by far`,
    )
    .showHelpAfterError("(--help shows the options)")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.parse(args, { from: "user" });
  const given = command.opts<Pick<Options, "merges" | "repeat"> & Partial<Options>>();
  const ci = given.ci === true;
  return {
    only: given.only ?? (ci ? IN_CI : new Set(MEASURES)),
    merges: ci ? given.merges.slice(0, 1) : given.merges,
    repeat: ci ? Math.min(given.repeat, CI_REPEAT) : given.repeat,
    json: given.json ?? null,
    ci,
  };
}

function sizes(text: string): number[] {
  const numbers = text.split(",").map((word) => (/^[0-9]{3,8}$/.test(word) ? Number(word) : Number.NaN));
  if (numbers.some((number) => !(number >= SMALLEST)))
    throw new InvalidArgumentError(`Numbers from ${SMALLEST}, such as 10000,100000, are expected.`);
  return numbers.toSorted((a, b) => a - b);
}

function times(text: string): number {
  if (/^[1-9][0-9]?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("A number from 1 to 99 is expected.");
}

function measures(text: string): Set<Measure> {
  const chosen = new Set<Measure>();
  for (const word of text.split(",")) {
    const measure = MEASURES.find((one) => one === word.trim().toUpperCase());
    if (measure === undefined)
      throw new InvalidArgumentError(`Some of ${MEASURES.join(", ")} are expected, such as P1,P4.`);
    chosen.add(measure);
  }
  return chosen;
}
