import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { Snapshot } from "../../src/core/snapshot.ts";
import type { RecentHistory } from "../../src/core/status-history.ts";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import { Readiness } from "../../src/events/readiness.ts";
import { buildServer, type HttpService, type Served, startHttp } from "../../src/http/server.ts";

const snapshot: Snapshot = {
  schema_version: 1,
  as_of: { seq: 0, event_id: null, merged_at: null, generated_at: "2026-11-22T10:06:41.000Z" },
  daemon: { running: 1 },
  lag: { merges: 0, seconds: null },
  skipped: { total: 0 },
  refused: { total: 0 },
  history_truncated: false,
  projects: [],
  metrics: [],
};

const history: RecentHistory = { schema_version: 1, series: [], merges: [], crossings: [] };

const starting = new Readiness(() => new Date(0)).current();

const memory: Served["memory"] = {
  metrics: [],
  lag: { merges: 0, seconds: 0 },
  historyTruncated: false,
  current: () => ({ snapshot, history, global: [] }),
  last: () => null,
  explain: () => null,
};

function daemon(some: Partial<Served> = {}): Served {
  return {
    isAlive: () => true,
    readiness: { current: () => starting, problems: () => [] },
    memory,
    merge: { kind: "work_item.transition", target: "merged" },
    prometheus: async () => ({ contentType: "text/plain; version=0.0.4", expose: async () => "up 1\n" }),
    ...some,
  };
}

const get = (url: string, some: Partial<Served> = {}) => buildServer(daemon(some)).inject({ url });

describe("what it serves", () => {
  test("/healthz reports whether the loop is alive, without the database", async () => {
    expect((await get("/healthz")).statusCode).toBe(200);
    expect((await get("/healthz", { isAlive: () => false })).statusCode).toBe(503);
  });

  test("/readyz is 503 with the reasons, or 200", async () => {
    const not = await get("/readyz", { memory: { ...memory, historyTruncated: true } });
    expect(not.statusCode).toBe(503);
    expect(not.json()).toStrictEqual({ ...starting, history_truncated: true });
    const ready = await get("/readyz", {
      readiness: { current: () => ({ ...starting, ready: true }), problems: () => [] },
    });
    expect(ready.statusCode).toBe(200);
    expect(ready.json()).toMatchObject({ ready: true, degraded: true, history_truncated: false });
  });

  test("/snapshot.json is the snapshot document, or 503 while memory cannot be trusted", async () => {
    expect((await get("/snapshot.json")).json()).toStrictEqual(snapshot);
    const not = await get("/snapshot.json", { memory: { ...memory, current: () => null } });
    expect([not.statusCode, not.json()]).toStrictEqual([503, { error: "not_restored" }]);
  });

  test("/history.json is the last merges, or 503 while memory cannot be trusted", async () => {
    expect((await get("/history.json")).json()).toStrictEqual(history);
    expect((await get("/history.json", { memory: { ...memory, current: () => null } })).statusCode).toBe(503);
  });

  test("/metrics is what a scrape gets, as its own content type", async () => {
    const response = await get("/metrics");
    expect([response.headers["content-type"], response.body]).toStrictEqual([
      "text/plain; version=0.0.4",
      "up 1\n",
    ]);
  });

  test("/schemas/ lists the published contracts, and each is there", async () => {
    const { schemas } = (await get("/schemas/")).json() as { schemas: { name: string; path: string }[] };
    expect(schemas.map(({ name }) => name)).toContain("metric.threshold_crossed");
    for (const { path } of schemas) {
      const response = await get(path);
      expect([response.statusCode, response.json()]).toStrictEqual([200, expect.any(Object)]);
    }
    for (const path of ["/schemas/../metrics.json", "/schemas/%2e%2e/metrics.json", "/schemas/canary"])
      expect((await get(path)).statusCode).toBe(404);
  });

  test("HEAD is answered like GET, without the document", async () => {
    const response = await buildServer(daemon()).inject({ method: "HEAD", url: "/snapshot.json" });
    expect([response.statusCode, response.body]).toStrictEqual([200, ""]);
  });
});

describe("what it refuses", () => {
  test.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])(
    "%s is not allowed, anywhere",
    async (method) => {
      for (const url of ["/healthz", "/nowhere"]) {
        const response = await buildServer(daemon()).inject({ method: method as "POST", url });
        expect([response.statusCode, response.headers["allow"]]).toStrictEqual([405, "GET, HEAD"]);
      }
    },
  );

  test("a body is not read", async () => {
    const response = await buildServer(daemon()).inject({ method: "GET", url: "/healthz", payload: "x" });
    expect([response.statusCode, response.json()]).toStrictEqual([413, { error: "body_not_accepted" }]);
  });

  test("an unknown or malformed path gets an error's name and nothing of the request", async () => {
    const unknown = await get("/canary");
    expect([unknown.statusCode, unknown.body]).toStrictEqual([404, '{"error":"not_found"}\n']);
    const malformed = await get("/%c0canary");
    expect([malformed.statusCode, malformed.body]).toStrictEqual([400, '{"error":"bad_request"}\n']);
  });

  test.each([
    ["127.0.0.1:9464", 200],
    ["127.0.0.1", 200],
    ["10.1.2.3:80", 200],
    ["[::1]:9464", 200],
    ["localhost:9464", 200],
    ["LOCALHOST", 200],
    ["evil.example", 421],
    ["evil.example:9464", 421],
    ["localhost.evil.example", 421],
    ["127.0.0.1.evil.example", 421],
  ])(
    "on loopback, host %s gets %i: a name that resolves to 127.0.0.1 is not served",
    async (host, status) => {
      const asked = { url: "/healthz", headers: { host } };
      const response = await buildServer(daemon(), true).inject(asked);
      expect(response.statusCode).toBe(status);
      expect(response.json()).toStrictEqual(status === 200 ? { alive: true } : { error: "host_not_served" });
      expect((await buildServer(daemon()).inject(asked)).statusCode).toBe(200);
    },
  );

  test("a failure within is not described", async () => {
    const response = await get("/snapshot.json", {
      memory: {
        ...memory,
        current: () => {
          throw new Error("canary");
        },
      },
    });
    expect([response.statusCode, response.body]).toStrictEqual([500, '{"error":"internal"}\n']);
  });

  test("every answer forbids caching, sniffing and framing", async () => {
    for (const url of ["/healthz", "/nowhere", "/%c0"]) {
      expect((await get(url)).headers).toMatchObject({
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "content-type": "application/json; charset=utf-8",
        "x-content-type-options": "nosniff",
      });
    }
  });
});

describe("listening", () => {
  const services: HttpService[] = [];
  afterEach(async () => {
    for (const service of services.splice(0)) await service.close();
  });

  async function listen(port: number) {
    const events: DaemonEvent[] = [];
    const outcome = await startHttp({ host: "127.0.0.1", port }, daemon(), (event) =>
      events.push(event),
    ).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) services.push(outcome as HttpService);
    return { outcome, events };
  }

  test("port 0 is any free one, and the address is reported", async () => {
    const { outcome, events } = await listen(0);
    const { address } = outcome as HttpService;
    expect(events).toStrictEqual([{ event: "http.listening", address }]);
    expect(await (await fetch(`${address}/healthz`)).json()).toStrictEqual({ alive: true });
  });

  test("a port in use is reported, and refused as a matter of configuration", async () => {
    const { outcome } = await listen(0);
    const port = Number(new URL((outcome as HttpService).address).port);
    const second = await listen(port);
    expect(second.outcome).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining("the port is in use"),
    });
    expect(second.events).toMatchObject([{ event: "http.failed", failure: { code: "EADDRINUSE" } }]);
  });

  test("at 127.0.0.1 only addresses and localhost are served", async () => {
    const { outcome } = await listen(0);
    const port = Number(new URL((outcome as HttpService).address).port);
    for (const [host, status] of [
      ["evil.example", 421],
      ["localhost", 200],
    ] as const) {
      const socket = connect(port, "127.0.0.1");
      socket.end(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
      let answer = "";
      for await (const chunk of socket) answer += String(chunk);
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  test("closing does not wait for idle connections", async () => {
    const { outcome } = await listen(0);
    const { address, close } = outcome as HttpService;
    const socket = connect(Number(new URL(address).port), "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await new Promise((resolve) => socket.once("connect", resolve));
    await close();
    await closed;
    expect(socket.destroyed).toBe(true);
  });

  test("a request that arrives bit by bit is ended, so that others get a connection", async () => {
    const { outcome } = await listen(0);
    const socket = connect(Number(new URL((outcome as HttpService).address).port), "127.0.0.1");
    socket.write("GET /healthz HTTP/1.1\r\nx: ");
    const dripping = setInterval(() => socket.write("a"), 200);
    // A byte on its way when the connection is closed would be answered with a reset instead.
    setTimeout(() => clearInterval(dripping), 2_000);
    let answer = "";
    for await (const chunk of socket) answer += String(chunk);
    // The whole request is granted five seconds; two more, and silence would have ended it without an answer.
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  test("what is not HTTP, and a header that is too large, gets an error and no more", async () => {
    const { outcome } = await listen(0);
    const port = Number(new URL((outcome as HttpService).address).port);
    for (const bytes of ["canary\r\n\r\n", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"a".repeat(10_000)}\r\n\r\n`]) {
      const socket = connect(port, "127.0.0.1");
      socket.end(bytes);
      let answer = "";
      for await (const chunk of socket) answer += String(chunk);
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(answer).not.toContain("canary");
    }
  });
});
