/** `metrics health`: asks the daemon on this host whether it is ready. Made for a container's HEALTHCHECK. */
import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import { text } from "node:stream/consumers";
import type { Config } from "../config.ts";
import { parseObject } from "../core/json.ts";
import { Failed } from "../failed.ts";
import { safe } from "../text/safe.ts";
import { configOf, sharedOptions } from "./options.ts";
import { ENVIRONMENT, type Verb } from "./verb.ts";

export const health: Verb = {
  name: "health",
  what: "check whether the daemon on this host is ready",
  examples: ["metrics health", "metrics health --timeout 2s"],
  environment: ENVIRONMENT.health,
  exits: { 0: "ready", 1: "not ready, or no response", 2: true },
  options: sharedOptions({ config: true, timeout: "3s" }),
  async run(flags, { terminal }) {
    const config = await configOf(terminal, flags);
    const { healthy, says } = await probe(readyzOf(config), flags.timeout);
    await terminal.out(`${says}\n`);
    return healthy ? 0 : 1;
  },
};

/** The result and the line that reports it. */
type Health = { readonly healthy: boolean; readonly says: string };

async function probe(url: string, timeoutMs: number): Promise<Health> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const { status, body } = await ask(url, deadline);
    const readiness = await readinessIn(body);
    if (readiness === null) return unhealthy(`another service answers at ${url}`);
    return { healthy: status === 200 && readiness.ready, says: textOf(readiness) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${safe(String(error.code))})` : "";
    return unhealthy(`no response from ${url}${deadline.aborted ? ` within ${timeoutMs} ms` : code}`);
  }
}

function unhealthy(why: string): Health {
  return {
    healthy: false,
    says: `unhealthy: ${why}. Is the daemon running here, with this METRICS_HTTP_PORT?`,
  };
}

/** Not by `fetch`: like browsers, it refuses some ports at which a daemon may listen. */
async function ask(url: string, signal: AbortSignal) {
  const { get } = await import("node:http");
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get(url, { signal, agent: false }, resolve).once("error", reject);
  const response = await promise;
  return { status: response.statusCode, body: await text(response) };
}

/** The document of `/readyz`, to which a newer daemon may add members; null for any other text. */
async function readinessIn(body: string) {
  const { z } = await import("zod");
  const check = z.object({ ok: z.boolean(), since: z.string(), reason: z.string().nullable() });
  const checks = z.record(z.string(), check);
  const readiness = z.object({ ready: z.boolean(), degraded: z.boolean(), checks });
  return readiness.safeParse(parseObject(body)).data ?? null;
}

/** A daemon that is bound to every address answers on the loopback one. @throws Failed if the daemon cannot be asked. */
function readyzOf({ httpEnabled, httpHost: host, httpPort: port }: Config): string {
  if (!httpEnabled)
    throw new Failed(2, "METRICS_HTTP_ENABLED is false. It must be true for `metrics health`");
  if (port === 0)
    throw new Failed(
      2,
      "METRICS_HTTP_PORT is 0, so the daemon's port is not known. It must be fixed for `metrics health`",
    );
  const local = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${isIPv6(local) ? `[${local}]` : local}:${port}/readyz`;
}

function textOf({ ready, degraded, checks }: NonNullable<Awaited<ReturnType<typeof readinessIn>>>): string {
  const failing = Object.entries(checks).flatMap(([name, { ok, since, reason }]) =>
    ok ? [] : `${safe(name)} ${safe(reason ?? "not ok")} since ${safe(since)}`,
  );
  const state = ready ? (degraded ? "ready, degraded" : "ready") : "not ready";
  const line = failing.length === 0 ? state : `${state}: ${failing.join(", ")}`;
  return ready ? line : `${line}; see its log`;
}
