/** `metrics config`: the settings in force and where each comes from, or whether they are valid at all. */
import { effectiveSettings } from "../config/effective.ts";
import { loadConfig } from "../config.ts";
import { jsonText, safe } from "../text/safe.ts";
import { align } from "./columns.ts";
import type { Terminal } from "./terminal.ts";

export type ConfigOptions = {
  readonly configFile?: string | undefined;
  readonly json: boolean;
  readonly check: boolean;
};

const WIDTH = 300;

/** @throws ConfigError */
export async function showConfig(options: ConfigOptions, terminal: Terminal): Promise<number> {
  const config = loadConfig(terminal.env, { configFile: options.configFile });
  for (const { variable, nearest } of config.warnings) {
    const meant = nearest === null ? "" : `: did you mean ${nearest}?`;
    await terminal.err(`warning: ${safe(variable)} is not known and has no effect${meant}\n`);
  }
  if (options.check) {
    await terminal.out(options.json ? '{"valid":true}\n' : "configuration is valid\n");
    return 0;
  }
  const settings = effectiveSettings(config);
  if (options.json) {
    await terminal.out(jsonText({ schema_version: 1, settings }, 2));
    return 0;
  }
  const lines = align(
    settings.map(({ setting, value, origin }) => [
      { text: setting },
      { text: `(${origin})` },
      { text: safe(textOf(value), WIDTH) },
    ]),
  );
  await terminal.out(lines.map((line) => `${line}\n`).join(""));
  return 0;
}

function textOf(value: unknown): string {
  if (value === null) return "-";
  return typeof value === "string" ? value : JSON.stringify(value);
}
