/** `metrics config`: the settings in effect and where each comes from, or only whether they are valid. */
import { Option } from "commander";
import { jsonText, safe } from "../text/safe.ts";
import { table } from "./columns.ts";
import { configOf, type Flags, formatOf, sharedOptions } from "./options.ts";
import { wantsColour } from "./terminal.ts";
import { ENVIRONMENT, type Verb } from "./verb.ts";

const WIDTH = 300;

export const config: Verb = {
  name: "config",
  what: "show the effective settings and where each comes from, without secrets",
  examples: ["metrics config", "metrics config --check --config ./metrics.json"],
  environment: ENVIRONMENT.settings,
  exits: { 0: true, 2: "a setting is wrong" },
  options: [
    new Option("--check", "only check that the configuration is valid"),
    ...sharedOptions({ formats: ["json"], colour: true, config: true }),
  ],
  async run(flags: Flags & { readonly check?: boolean }, { terminal }) {
    const effective = await configOf(terminal, flags);
    for (const { variable, nearest } of effective.warnings) {
      const meant = nearest === null ? "" : `: did you mean ${nearest}?`;
      await terminal.err(`warning: ${safe(variable)} is not known and has no effect${meant}\n`);
    }
    const json = formatOf(flags) === "json";
    if (flags.check === true) {
      await terminal.out(json ? '{"valid":true}\n' : "configuration is valid\n");
      return 0;
    }
    const { effectiveSettings } = await import("../config/effective.ts");
    const settings = effectiveSettings(effective);
    const rows = settings.flatMap(({ setting, value, origin }) =>
      leavesOf(setting, value).map(([name, leaf]) => [name, origin, safe(textOf(leaf), WIDTH)]),
    );
    const lines = table(["SETTING", "FROM", "VALUE"], rows, { colour: wantsColour(terminal, flags.color) });
    await terminal.out(json ? jsonText({ schema_version: 1, settings }, 2) : `${lines.join("\n")}\n`);
    return 0;
  },
};

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
