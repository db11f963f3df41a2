/** The help text of a verb: usage, description and options come from commander; examples, environment and exit codes follow. */
import type { Command } from "commander";
import { align } from "./columns.ts";

/** Columns of help texts, whatever the terminal. */
export const HELP_COLUMNS = 80;

type Entry = readonly [name: string, meaning: string];

const DATABASE: readonly Entry[] = [
  ["DATABASE_URL", "the database; or PGHOST and libpq's other variables"],
  ["DATABASE_URL_FILE", "a file that holds it"],
  ["METRICS_SCHEMA", "the schema of events_outbox (default: public)"],
];
const FILE: Entry = ["METRICS_CONFIG_FILE", "a file of windows, bounds and gates"];
const COLOUR: Entry = ["NO_COLOR, TERM=dumb", "no colours"];

/** The variables that verbs read; `docs/settings.md` has all. */
export const ENVIRONMENT = {
  daemon: [
    ...DATABASE,
    FILE,
    ["METRICS_HTTP_PORT", "port of the status page (default: 9464)"],
    ["METRICS_LOG_LEVEL", "debug, info, warn, error or fatal (default: info)"],
    ["METRICS_…", "docs/settings.md lists the others"],
  ],
  reader: [...DATABASE, FILE, COLOUR],
  health: [
    ["METRICS_HTTP_HOST, _PORT", "where the daemon listens (default: 127.0.0.1, 9464)"],
    ...DATABASE,
    FILE,
  ],
  settings: [...DATABASE, FILE, ["METRICS_…", "docs/settings.md lists the others"]],
  none: [],
} satisfies Record<string, readonly Entry[]>;

const USUAL: Readonly<Record<number, string>> = {
  0: "done",
  1: "unexpected failure",
  2: "usage or configuration error, nothing was contacted",
  3: "database unreachable, timed out, refused, or not fit",
};

type About = {
  readonly what: string;
  readonly examples: readonly string[];
  readonly environment: readonly Entry[];
  /** The exit codes of this verb; true for the usual meaning. */
  readonly exits: Readonly<Record<number, string | true>>;
};

export function describe(command: Command, { what, examples, environment, exits }: About): Command {
  const meanings = Object.entries(exits).map(
    ([code, meaning]): Entry => [code, meaning === true ? (USUAL[Number(code)] ?? "") : meaning],
  );
  return command
    .description(what)
    .addHelpText(
      "after",
      `\nExamples:\n${examples.map((line) => `  ${line}\n`).join("")}` +
        `${section("Environment", environment)}${section("Exit codes", meanings)}`,
    );
}

function section(title: string, entries: readonly Entry[]): string {
  const lines = align(entries.map(([name, meaning]) => [`  ${name}`, meaning]));
  return lines.length === 0 ? "" : `\n${title}:\n${lines.map((line) => `${line}\n`).join("")}`;
}
