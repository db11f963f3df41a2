/** `metrics verify`: every recorded number against the recorded facts; exits with 1 on any difference. */
import type { Command } from "commander";
import { jsonText } from "../text/safe.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import { configOf, formatOf, numberOption, type SharedFlags, shared } from "./options.ts";
import { reading } from "./reading.ts";
import type { Cli } from "./verbs.ts";

type Flags = SharedFlags & { readonly limit: number };

const DIFFERS = 1;

export function defineVerify(command: Command, cli: Cli): void {
  describe(command, {
    what: "recompute every recorded number from the recorded facts and report differences",
    examples: [
      "metrics verify",
      "metrics verify --limit 100",
      "metrics verify --json | jq .differences.by_kind",
    ],
    environment: ENVIRONMENT.reader,
    exits: { 0: "no differences", 1: "unexpected failure, or a difference", 2: true, 3: true },
  }).addOption(numberOption("--limit <count>", "list this many differences; all are counted", 0, 20));
  shared(command, { formats: ["json"], config: true, timeout: "30s" }).action(async (flags: Flags) => {
    cli.done(await verify(flags, cli));
  });
}

async function verify(flags: Flags, { terminal, verbs }: Cli): Promise<number> {
  const config = await configOf(terminal.env, flags);
  const { timeout: timeoutMs, limit } = flags;
  const verification = await reading("verifying", terminal, (heard) =>
    verbs.verify(config, { timeoutMs, limit, ...heard }),
  );
  const { renderVerification } = await import("./verify-text.ts");
  await terminal.out(
    formatOf(flags) === "json" ? jsonText(verification, 2) : renderVerification(verification),
  );
  return verification.verified ? 0 : DIFFERS;
}
