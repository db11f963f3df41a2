/** `metrics config`: the settings in effect and where each comes from, or only whether they are valid. */
import type { Command } from "commander";
import { jsonText, safe } from "../text/safe.ts";
import { align } from "./columns.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import { configOf, formatOf, type SharedFlags, shared } from "./options.ts";
import { paint } from "./paint.ts";
import { type Terminal, wantsColour } from "./terminal.ts";
import type { Cli } from "./verbs.ts";

type Flags = SharedFlags & { readonly check?: boolean };

const WIDTH = 300;

export function defineConfig(command: Command, { terminal }: Cli): void {
  describe(command, {
    what: "show the effective settings and where each comes from, without secrets",
    examples: ["metrics config", "metrics config --check --config ./metrics.json"],
    environment: ENVIRONMENT.settings,
    exits: { 0: true, 2: "a setting is wrong" },
  }).option("--check", "only check that the configuration is valid");
  shared(command, { formats: ["json"], colour: true, config: true }).action((flags: Flags) =>
    showConfig(flags, terminal),
  );
}

async function showConfig(flags: Flags, terminal: Terminal): Promise<void> {
  const config = await configOf(terminal.env, flags);
  for (const { variable, nearest } of config.warnings) {
    const meant = nearest === null ? "" : `: did you mean ${nearest}?`;
    await terminal.err(`warning: ${safe(variable)} is not known and has no effect${meant}\n`);
  }
  const json = formatOf(flags) === "json";
  if (flags.check === true) return terminal.out(json ? '{"valid":true}\n' : "configuration is valid\n");
  const { effectiveSettings } = await import("../config/effective.ts");
  const settings = effectiveSettings(config);
  if (json) return terminal.out(jsonText({ schema_version: 1, settings }, 2));
  const heading = ["SETTING", "FROM", "VALUE"];
  const rows = settings.flatMap(({ setting, value, origin }) =>
    leavesOf(setting, value).map(([name, leaf]) => [name, origin, safe(textOf(leaf), WIDTH)]),
  );
  const [first = "", ...lines] = align([heading, ...rows]);
  const bold = paint("bold", first, wantsColour(terminal, flags.color));
  await terminal.out([bold, ...lines].map((line) => `${line}\n`).join(""));
}

/** The settings of an object one by one, each under its whole name. */
function leavesOf(name: string, value: unknown): (readonly [name: string, value: unknown])[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[name, value]];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(`${name}.${key}`, inner));
}

function textOf(value: unknown): string {
  if (value === null) return "-";
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}
