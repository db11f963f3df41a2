/**
 * The HTTP service: the daemon's state, for every client that can reach the port. It answers GET and HEAD only, takes no
 * body, keeps no connection for long, and reports no more of an error than its name.
 */
import { type AddressInfo, isIP } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Snapshot } from "../core/snapshot.ts";
import type { Report } from "../events/daemon-event.ts";
import type { Readiness } from "../events/readiness.ts";
import { Failed } from "../failed.ts";
import type { MergeRule } from "../postgres/merge-source.ts";
import { jsonText } from "../text/safe.ts";
import { KeptAnswer, slicedJson, versionOf } from "./kept-answer.ts";
import type { Memory } from "./memory.ts";
import type { Prometheus } from "./prometheus.ts";
import { PUBLISHED, readPublished } from "./published.ts";

/** The parts of a daemon that are served. */
export type Served = {
  /** Whether the loop is alive; it needs no database for that. */
  readonly isAlive: () => boolean;
  readonly readiness: Pick<Readiness, "current" | "problems">;
  readonly memory: Pick<Memory, "current" | "last" | "explain" | "historyTruncated" | "lag" | "metrics">;
  /** The rows that count as merges. */
  readonly merge: MergeRule;
  readonly prometheus: () => Promise<Pick<Prometheus, "contentType" | "expose">>;
};

export type HttpService = {
  /** Where it listens, such as `http://127.0.0.1:9464`. */
  readonly address: string;
  readonly close: () => Promise<void>;
};

const ELSEWHERE = "Use 127.0.0.1, or 0.0.0.0 for all of them";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "the port is in use. Stop the program that uses it, or choose another port (0 for any free one)",
  EADDRNOTAVAIL: `no network interface has this address. ${ELSEWHERE}`,
  EACCES: "listening on this port is not permitted. Choose one above 1023",
  ENOTFOUND: `no host has this name. ${ELSEWHERE}`,
};

const TIMEOUT_MS = 5_000;
const CHECK_MS = 1_000;
const MAX_HEADER_BYTES = 8_192;
const MAX_CONNECTIONS = 64;

/** Of an ISO date, the characters up to the second. */
const WHOLE_SECOND = 19;

const JSON_TYPE = "application/json; charset=utf-8";

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** No route has a schema. Without this, fastify loads a hundred modules that compile schemas. */
const NO_SCHEMAS = { compilersFactory: { buildValidator: never, buildSerializer: never } };

function never(): never {
  throw new Error("no route has a schema");
}

/**
 * Starts to listen and reports where.
 * @throws Failed after reporting `http.failed`.
 */
export async function startHttp(
  { host, port }: { readonly host: string; readonly port: number },
  served: Served,
  report: Report,
): Promise<HttpService> {
  const server = buildServer(served, isLoopback(host));
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    const reason = REASONS[code] ?? `cannot listen there (${code}). ${ELSEWHERE}`;
    const message = `METRICS_HTTP_HOST ${host}, METRICS_HTTP_PORT ${port}: ${reason}`;
    report({ event: "http.failed", failure: { code, message } });
    throw new Failed(2, message);
  }
  server.server.maxConnections = MAX_CONNECTIONS;
  const address = urlOf(server.server.address() as AddressInfo);
  report({ event: "http.listening", address });
  return { address, close: () => server.close() };
}

/** The service before it listens. @param onLoopback only this machine can connect. */
export function buildServer(served: Served, onLoopback = false): FastifyInstance {
  const server = fastify({
    logger: false,
    bodyLimit: 1,
    connectionTimeout: TIMEOUT_MS,
    requestTimeout: TIMEOUT_MS,
    keepAliveTimeout: TIMEOUT_MS,
    forceCloseConnections: true,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: TIMEOUT_MS,
      // Node.js checks the timeouts only every thirty seconds by default.
      connectionsCheckingInterval: CHECK_MS,
    },
    schemaController: NO_SCHEMAS,
    // Hooks do not run before these.
    frameworkErrors: (_error, _request, reply) => {
      send(reply.headers(HEADERS), 400, { error: "bad_request" });
    },
  });
  server.addHook("onRequest", async (request, reply) => refuse(request, reply.headers(HEADERS), onLoopback));
  server.setNotFoundHandler((_request, reply) => send(reply, 404, { error: "not_found" }));
  server.setErrorHandler((_error, _request, reply) => send(reply, 500, { error: "internal" }));
  serveProbes(server, served);
  serveDocuments(server, served.memory);
  servePage(server, served);
  serveSchemas(server);
  return server;
}

function serveProbes(server: FastifyInstance, { isAlive, readiness, memory, prometheus }: Served): void {
  server.get("/healthz", (_request, reply) => {
    const alive = isAlive();
    return send(reply, alive ? 200 : 503, { alive });
  });
  server.get("/readyz", (_request, reply) => {
    const report = { ...readiness.current(), history_truncated: memory.historyTruncated };
    return send(reply, report.ready ? 200 : 503, report);
  });
  server.get("/metrics", async (_request, reply) => {
    const { metrics, lag } = memory;
    const snapshot = memory.current()?.snapshot ?? null;
    const counted = await prometheus();
    const text = await counted.expose({ metrics, lag, snapshot, readiness: readiness.current() });
    return reply.type(counted.contentType).send(text);
  });
}

function serveDocuments(server: FastifyInstance, memory: Served["memory"]): void {
  const [snapshots, histories] = [new KeptAnswer(), new KeptAnswer()];
  server.get("/snapshot.json", (request, reply) => {
    const document = memory.current()?.snapshot;
    if (document === undefined) return send(reply, 503, { error: "not_restored" });
    const moment = document.as_of.generated_at.slice(0, WHOLE_SECOND);
    const place = { version: snapshotVersion(document), moment };
    return snapshots.send(request, reply.type(JSON_TYPE), place, () => slicedJson(document));
  });
  server.get("/history.json", (request, reply) => {
    const document = memory.current()?.history;
    if (document === undefined) return send(reply, 503, { error: "not_restored" });
    const place = { version: versionOf([document], null) };
    return histories.send(request, reply.type(JSON_TYPE), place, () => slicedJson(document));
  });
}

/** The version of a snapshot: everything but its time. */
function snapshotVersion({ metrics, projects, as_of, ...rest }: Snapshot): string {
  return versionOf([metrics, projects], { ...rest, as_of: { ...as_of, generated_at: null } });
}

/** Loaded for the first visitor, so that a start does not wait for the charts' code. */
const loadPage = () => import("./page/document.ts");

function servePage(server: FastifyInstance, { readiness, memory, merge }: Served): void {
  const pages = new KeptAnswer();
  server.get<{ Querystring: { filter?: unknown; all?: unknown } }>("/", async (request, reply) => {
    const { page, PAGE_POLICY } = await loadPage();
    const { filter, all } = request.query;
    const view = { filter: typeof filter === "string" ? filter : "", all: all !== undefined };
    const shown = memory.last();
    const current = memory.current() !== null;
    const condition = { readiness: readiness.current(), problems: readiness.problems(), current };
    const version = versionOf(shown === null ? [] : [shown.history], [
      shown === null ? null : snapshotVersion(shown.snapshot),
      { view, condition },
    ]);
    return pages.send(request, asHtml(reply, current ? 200 : 503, PAGE_POLICY), { version }, () =>
      page({ ...condition, shown, view, merge }),
    );
  });
  server.get<{ Querystring: { name?: unknown } }>("/project", async (request, reply) => {
    const { projectPage, PAGE_POLICY } = await loadPage();
    const { name } = request.query;
    const explanations = typeof name === "string" ? memory.explain(name) : null;
    const status = explanations === null ? 404 : 200;
    return asHtml(reply, status, PAGE_POLICY).send(projectPage(String(name), explanations));
  });
}

function asHtml(reply: FastifyReply, status: number, policy: string): FastifyReply {
  return reply.code(status).header("content-security-policy", policy).type("text/html; charset=utf-8");
}

/** The published contracts: their list, and each of them under its name. */
function serveSchemas(server: FastifyInstance): void {
  for (const path of ["/schemas", "/schemas/"]) {
    server.get(path, (_request, reply) =>
      send(reply, 200, {
        schemas: PUBLISHED.map(({ name, title, file }) => ({ name, title, path: `/schemas/${file}` })),
      }),
    );
  }
  for (const published of PUBLISHED) {
    server.get(`/schemas/${published.file}`, (_request, reply) =>
      reply.type(JSON_TYPE).send(readPublished(published)),
    );
  }
}

/**
 * Refuses other methods and bodies at once; a body is never read. On loopback it also refuses host names: a web site whose
 * name resolves to 127.0.0.1 could read every document through a browser on this machine (DNS rebinding).
 */
function refuse(request: FastifyRequest, reply: FastifyReply, onLoopback: boolean): FastifyReply | undefined {
  if (onLoopback && !isLocalName(request.hostname)) return send(reply, 421, { error: "host_not_served" });
  if (request.method !== "GET" && request.method !== "HEAD") {
    reply.headers({ allow: "GET, HEAD", connection: "close" });
    return send(reply, 405, { error: "method_not_allowed" });
  }
  const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
  return length === "0" && encoding === undefined
    ? undefined
    : send(reply.header("connection", "close"), 413, { error: "body_not_accepted" });
}

function send(reply: FastifyReply, status: number, document: unknown): FastifyReply {
  return reply.code(status).type(JSON_TYPE).send(jsonText(document));
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Whether a request's host is an address or localhost; a client of HTTP 1.0 names none. @param host without a port. */
function isLocalName(host: string): boolean {
  return host === "" || host.toLowerCase() === "localhost" || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0;
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
