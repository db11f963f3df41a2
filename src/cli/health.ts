/** `metrics health`: asks the daemon beside us whether it does its job. Made for a container's HEALTHCHECK. */
import { get, type IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { type Config, ConfigError } from "../config.ts";
import { parseObject } from "../core/json.ts";
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
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const { status, body } = await ask(url, deadline);
    const readiness = READINESS.safeParse(parseObject(body));
    if (!readiness.success)
      return { well: false, says: `not well: something else answers at ${url}: ${ADVICE}` };
    return { well: status === 200 && readiness.data.ready, says: describe(readiness.data) };
  } catch (error) {
    const why = deadline.aborted ? `no answer within ${timeoutMs} ms` : whyNot(error);
    return { well: false, says: `not well: ${why} at ${url}: ${ADVICE}` };
  }
}

/** Not by `fetch`: as browsers do, it refuses to ask at some ports at which a daemon may well listen. */
async function ask(url: string, signal: AbortSignal) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { signal, agent: false }, resolve).once("error", reject);
  });
  return { status: response.statusCode, body: await text(response) };
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

function whyNot(error: unknown): string {
  return error instanceof Error && "code" in error ? `no answer (${safe(String(error.code))})` : "no answer";
}
