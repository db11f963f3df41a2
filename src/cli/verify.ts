/** `metrics verify`: every recorded number against the recorded facts; exits with 1 on any difference. */
import { jsonText } from "../text/safe.ts";
import { configOf, formatOf, numberOption, sharedOptions } from "./options.ts";
import { reading } from "./reading.ts";
import { ENVIRONMENT, type Verb } from "./verb.ts";

const DIFFERS = 1;

export const verify: Verb = {
  name: "verify",
  what: "recompute every recorded number from the recorded facts and report differences",
  examples: [
    "metrics verify",
    "metrics verify --limit 100",
    "metrics verify --json | jq .differences.by_kind",
  ],
  environment: ENVIRONMENT.reader,
  exits: { 0: "no differences", 1: "unexpected failure, or a difference", 2: true, 3: true },
  options: [
    numberOption("--limit <count>", "list this many differences; all are counted", 0, 20),
    ...sharedOptions({ formats: ["json"], config: true, timeout: "30s" }),
  ],
  async run(flags, { terminal, work }) {
    const config = await configOf(terminal, flags);
    const verification = await reading("verifying", flags, terminal, (options) =>
      work.readVerification(config, { limit: flags.limit, ...options }),
    );
    const { renderVerification } = await import("./verify-text.ts");
    await terminal.out(
      formatOf(flags) === "json" ? jsonText(verification, 2) : renderVerification(verification),
    );
    return verification.verified ? 0 : DIFFERS;
  },
};
