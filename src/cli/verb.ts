/** What a verb of the command line is, and how commander learns of it. */
import { type Argument, type Command, Option } from "commander";
import { align } from "./columns.ts";
import type { Flags } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export type Verb = {
  readonly name: string;
  readonly what: string;
  readonly examples: readonly string[];
  /** The variables that it reads. */
  readonly environment: readonly Entry[];
  /** Its exit codes; true for the usual meaning. */
  readonly exits: Readonly<Record<number, string | true>>;
  readonly options: readonly (Option | Argument)[];
  /** @param argument the word beside the options. @returns the exit code. */
  run(flags: Flags, cli: Cli, argument?: string): Promise<number>;
};

/** What a verb works with. */
export type Cli = {
  readonly terminal: Terminal;
  readonly work: Work;
  /** All verbs of the executable. */
  readonly verbs: readonly Verb[];
};

/** Loads a function when it is called: most of a short command's time is loading. */
function lazily<Args extends readonly unknown[], T>(load: () => Promise<(...args: Args) => Promise<T>>) {
  return async (...args: Args): Promise<T> => (await load())(...args);
}

/** What verbs do beyond printing. */
export const WORK = {
  run: lazily(async () => (await import("./daemon-process.ts")).run),
  readSnapshot: lazily(async () => (await import("./read-snapshot.ts")).readSnapshot),
  readHistory: lazily(async () => (await import("./read-history.ts")).readHistory),
  readExplanations: lazily(async () => (await import("./read-explanation.ts")).readExplanations),
  readSimulation: lazily(async () => (await import("./read-simulation.ts")).readSimulation),
  readVerification: lazily(async () => (await import("./read-verification.ts")).readVerification),
};

/** Tests pass their own. */
export type Work = typeof WORK;

/** Columns of help texts, whatever the terminal. */
export const HELP_COLUMNS = 80;

type Entry = readonly [name: string, meaning: string];

const DATABASE: readonly Entry[] = [
  ["DATABASE_URL", "the database; or PGHOST and libpq's other variables"],
  ["DATABASE_URL_FILE", "a file that holds it"],
  ["METRICS_SCHEMA", "the schema of events_outbox (default: public)"],
  ["METRICS_CONFIG_FILE", "a file of windows, bounds and gates"],
];
const OTHERS: Entry = ["METRICS_…", "docs/settings.md lists the others"];

export const ENVIRONMENT = {
  daemon: [
    ...DATABASE,
    ["METRICS_HTTP_PORT", "port of the status page (default: 9464)"],
    ["METRICS_LOG_LEVEL", "debug, info, warn, error or fatal (default: info)"],
    OTHERS,
  ],
  reader: [...DATABASE, ["NO_COLOR, TERM=dumb", "no colours"]],
  health: [["METRICS_HTTP_HOST, _PORT", "where the daemon listens (default: 127.0.0.1, 9464)"], ...DATABASE],
  settings: [...DATABASE, OTHERS],
} satisfies Record<string, readonly Entry[]>;

const USUAL: Readonly<Record<number, string>> = {
  0: "done",
  1: "unexpected failure",
  2: "usage or configuration error, nothing was contacted",
  3: "database unreachable, timed out, refused, or not fit",
};

/** Makes a command the verb. @param done takes the exit code. */
export function define(command: Command, verb: Verb, cli: Cli, done: (exitCode: number) => void): void {
  describe(command, verb);
  for (const option of verb.options) {
    if (option instanceof Option) command.addOption(option);
    else command.addArgument(option);
  }
  command.action(async () => done(await verb.run(command.opts(), cli, command.args[0])));
}

/** The help text: usage, description and options come from commander; examples, environment and exit codes follow. */
export function describe(
  command: Command,
  { what, examples, environment, exits }: Pick<Verb, "what" | "examples" | "environment" | "exits">,
): void {
  // `snapshot` is also an executable of its own.
  const lines = examples.map((line) =>
    command.parent === null ? line.replace("metrics snapshot", "snapshot") : line,
  );
  const codes = Object.entries(exits).map(
    ([code, meaning]): Entry => [code, meaning === true ? (USUAL[Number(code)] ?? "") : meaning],
  );
  command
    .description(what)
    .addHelpText(
      "after",
      section("Examples", lines) +
        section("Environment", align(environment)) +
        section("Exit codes", align(codes)),
    );
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `\n${title}:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
