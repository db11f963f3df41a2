/** `metrics verify`: every recorded number against the recorded facts; exits with 1 on any difference. */
import { type Config, loadConfig } from "../config.ts";
import type { Verification } from "../core/verification.ts";
import { jsonText } from "../text/safe.ts";
import { withProgress } from "./progress-line.ts";
import type { VerifyOptions } from "./read-verification.ts";
import type { Terminal } from "./terminal.ts";
import { namingUnreadable } from "./unreadable-rows.ts";
import { renderVerification } from "./verify-text.ts";

export type VerifyFlags = {
  readonly configFile?: string | undefined;
  readonly json: boolean;
  readonly limit: number;
  readonly timeoutMs: number;
};

export type Verify = (config: Config, options: VerifyOptions) => Promise<Verification>;

const DIFFERS = 1;

/** @throws ConfigError, Unreadable */
export async function showVerification(
  flags: VerifyFlags,
  terminal: Terminal,
  verify: Verify,
): Promise<number> {
  const config = loadConfig(terminal.env, { configFile: flags.configFile });
  const { timeoutMs, limit } = flags;
  const verification = await namingUnreadable(terminal, (unreadable) =>
    withProgress("verifying", terminal, (progress) =>
      verify(config, { timeoutMs, limit, progress, unreadable }),
    ),
  );
  await terminal.out(flags.json ? jsonText(verification, 2) : renderVerification(verification));
  return verification.verified ? 0 : DIFFERS;
}
