/** `metrics health`: asks the daemon beside us whether it does its job. Made for a container's HEALTHCHECK. */
import { isIPv6 } from "node:net";
import { z } from "zod";
import { type Config, ConfigError } from "../config.ts";
import { safe } from "../text/safe.ts";

type Health = {
  readonly well: boolean;
  /** For people: one line. */
  readonly says: string;
};

/** What `/readyz` says; a newer daemon may say more. */
const READINESS = z.object({
  ready: z.boolean(),
  degraded: z.boolean(),
  checks: z.record(
    z.string(),
    z.object({ ok: z.boolean(), since: z.string(), reason: z.string().nullable() }),
  ),
});

const ADVICE = "does the daemon run here, with this METRICS_HTTP_PORT?";

/** @throws ConfigError when there is no HTTP service to ask. */
export async function probe(http: Config["http"], timeoutMs: number): Promise<Health> {
  const url = readyzOf(http);
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: "error" });
    const readiness = READINESS.safeParse(await response.json().catch(() => null));
    if (!readiness.success)
      return { well: false, says: `not well: something else answers at ${url}: ${ADVICE}` };
    return { well: response.ok && readiness.data.ready, says: describe(readiness.data) };
  } catch (error) {
    return { well: false, says: `not well: ${whyNot(error, timeoutMs)} at ${url}: ${ADVICE}` };
  }
}

/** A daemon that is bound to every address is asked at the loopback one. */
function readyzOf({ enabled, host, port }: Config["http"]): string {
  if (!enabled) {
    throw new ConfigError([
      "METRICS_HTTP_ENABLED is false: there is nothing to ask. It must be true for `metrics health`",
    ]);
  }
  if (port === 0) {
    throw new ConfigError([
      "METRICS_HTTP_PORT is 0: the daemon's port is not known. It must be fixed for `metrics health`",
    ]);
  }
  const local = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${isIPv6(local) ? `[${local}]` : local}:${port}/readyz`;
}

function describe({ ready, degraded, checks }: z.output<typeof READINESS>): string {
  const failing = Object.entries(checks).flatMap(([name, { ok, since, reason }]) =>
    ok ? [] : [`${safe(name)} ${safe(reason ?? "not ok")} since ${safe(since)}`],
  );
  const state = ready ? (degraded ? "ready, degraded" : "ready") : "not ready";
  const told = failing.length === 0 ? state : `${state}: ${failing.join(", ")}`;
  return ready ? told : `${told}; its log says more`;
}

function whyNot(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return "no answer";
  if (error.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? `no answer (${safe(String(cause.code))})` : "no answer";
}
