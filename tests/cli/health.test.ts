import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { main } from "../../src/cli/program.ts";
import type { ReadinessReport } from "../../src/events/readiness.ts";
import { DATABASE, fakeTerminal, NOTHING } from "./fake-terminal.ts";

const SINCE = "2026-11-22T10:06:27.384Z";
const OK = { ok: true, since: SINCE, reason: null };
const READY: ReadinessReport = {
  ready: true,
  degraded: false,
  checks: { database: OK, listen: OK, restore: OK, writer: OK, lag: OK },
};

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A daemon's port that answers so; with null it never answers. @param ports the first of these that is free. */
async function daemon(status: number, document: unknown, ports: readonly number[] = [0]): Promise<number> {
  const server = createServer((_, response) => {
    if (document !== null)
      response.writeHead(status).end(typeof document === "string" ? document : JSON.stringify(document));
  });
  servers.push(server);
  for (const port of ports) {
    const listening = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (listening) return (server.address() as AddressInfo).port;
  }
  throw new Error(`no port of ${ports.join(", ")} is free`);
}

async function health(port: number, env: NodeJS.ProcessEnv = {}, args: string[] = []) {
  const { terminal, written } = fakeTerminal({
    env: { ...DATABASE, METRICS_HTTP_PORT: String(port), ...env },
  });
  return {
    code: await main("metrics", ["health", ...args], terminal, NOTHING),
    ...written,
  };
}

describe("metrics health", () => {
  test.each(["127.0.0.1", "0.0.0.0", "localhost"])(
    "finds a ready daemon that is bound to %s, and exits with 0",
    async (host) => {
      const port = await daemon(200, READY);
      expect(await health(port, { METRICS_HTTP_HOST: host })).toStrictEqual({
        code: 0,
        out: "ready\n",
        err: "",
      });
    },
  );

  test("asks at every port, also at those that browsers do not", async () => {
    const port = await daemon(200, READY, [6000, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 10_080]);
    expect(await health(port)).toMatchObject({ code: 0, out: "ready\n" });
  });

  test("degraded is well", async () => {
    const listen = { ok: false, since: SINCE, reason: "not_heard" };
    const port = await daemon(200, { ...READY, degraded: true, checks: { ...READY.checks, listen } });
    expect(await health(port)).toMatchObject({
      code: 0,
      out: `ready, degraded: listen not_heard since ${SINCE}\n`,
    });
  });

  test("a daemon that is not ready gives its reasons, and the exit code is 1", async () => {
    const database = { ok: false, since: SINCE, reason: "disconnected" };
    const port = await daemon(503, { ...READY, ready: false, checks: { ...READY.checks, database } });
    expect(await health(port)).toMatchObject({
      code: 1,
      out: `not ready: database disconnected since ${SINCE}; see its log\n`,
    });
  });

  test("another service at the port is unhealthy", async () => {
    for (const document of ["<html>", { ready: true }, []]) {
      const port = await daemon(200, document);
      expect(await health(port)).toMatchObject({
        code: 1,
        out: `unhealthy: another service answers at http://127.0.0.1:${port}/readyz. Is the daemon running here, with this METRICS_HTTP_PORT?\n`,
      });
    }
  });

  test("no daemon, and one that does not answer, are unhealthy", async () => {
    const port = await daemon(200, null);
    expect(await health(port, {}, ["--timeout", "50ms"])).toMatchObject({
      code: 1,
      out: `unhealthy: no response from http://127.0.0.1:${port}/readyz within 50 ms. Is the daemon running here, with this METRICS_HTTP_PORT?\n`,
    });
    expect(await health(1)).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^unhealthy: no response from http:.* \(.*\)\. Is the daemon running here/),
    });
  });

  test("a daemon that cannot be asked is a configuration error", async () => {
    expect(await health(0)).toMatchObject({
      code: 2,
      err: expect.stringContaining("METRICS_HTTP_PORT is 0"),
    });
    expect(await health(9464, { METRICS_HTTP_ENABLED: "false" })).toMatchObject({
      code: 2,
      err: expect.stringContaining("METRICS_HTTP_ENABLED is false"),
    });
  });
});
