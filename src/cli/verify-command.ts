/** The flags of `metrics verify`. */
import { type Command, Option } from "commander";
import {
  type CommonFlags,
  configOption,
  examples,
  jsonOption,
  outputOption,
  timeoutOption,
  wantsJson,
  wholeNumber,
} from "./options.ts";
import type { Terminal } from "./terminal.ts";
import type { Verify } from "./verify.ts";

type Flags = CommonFlags & { readonly limit: number; readonly timeout: number };

export function defineVerify(
  command: Command,
  terminal: Terminal,
  verify: Verify,
  done: (exitCode: number) => void,
): void {
  command
    .description("recompute every recorded number from the recorded facts and tell what differs")
    .addHelpText(
      "before",
      examples(
        "metrics verify",
        "metrics verify --limit 100",
        "metrics verify --json | jq .differences.by_kind",
      ),
    )
    .addOption(
      new Option("--limit <count>", "differences that are told one by one; all are counted")
        .argParser(wholeNumber(0, 100_000))
        .default(20),
    )
    .addOption(jsonOption())
    .addOption(outputOption())
    .addOption(configOption())
    .addOption(timeoutOption("30s"))
    .action(async ({ limit, timeout: timeoutMs, config: configFile, ...flags }: Flags) => {
      const { showVerification } = await import("./verify.ts");
      const chosen = { limit, timeoutMs, configFile, json: wantsJson(flags) };
      done(await showVerification(chosen, terminal, verify));
    });
}
