/** `metrics config`: the settings in effect and where each comes from, or only whether they are valid. */
import type { Command } from "commander";
import { jsonText, safe } from "../text/safe.ts";
import { align } from "./columns.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import { configOf, formatOf, type SharedFlags, shared } from "./options.ts";
import type { Terminal } from "./terminal.ts";
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
  shared(command, { formats: ["json"], config: true }).action((flags: Flags) => showConfig(flags, terminal));
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
  const lines = align(
    settings.map(({ setting, value, origin }) => [setting, `(${origin})`, safe(textOf(value), WIDTH)]),
  );
  await terminal.out(lines.map((line) => `${line}\n`).join(""));
}

function textOf(value: unknown): string {
  if (value === null) return "-";
  return typeof value === "string" ? value : JSON.stringify(value);
}
