/**
 * The HTTP service: what the daemon says of itself, to every client that can reach the port. It answers GET and HEAD only,
 * takes no body, keeps no connection for long, and says no more of an error than its name.
 */
import { type AddressInfo, isIP } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Explanation } from "../core/explanation.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { RecentHistory } from "../core/status-history.ts";
import type { Report } from "../events/daemon-event.ts";
import type { ReadinessReport } from "../events/readiness.ts";
import { jsonText } from "../text/safe.ts";
import { KeptAnswer, slicedJson, versionOf } from "./kept-answer.ts";
import type { Shown } from "./memory.ts";
import { PUBLISHED, readPublished } from "./published.ts";

export type HttpPorts = {
  /** Whether the loop is alive; it needs no database for that. */
  readonly isAlive: () => boolean;
  readonly readiness: () => ReadinessReport;
  /** What keeps the daemon from recording, and what to do about it; for the page. */
  readonly problems: () => readonly string[];
  /** Whether windows count up again, because rows are gone from the old end of the journal. */
  readonly historyTruncated: () => boolean;
  /** Null while memory cannot be trusted. */
  readonly snapshot: () => Snapshot | null;
  /** The last merges; null while memory cannot be trusted. */
  readonly history: () => RecentHistory | null;
  /** What is known, or was known before memory could not be trusted; for the page. */
  readonly last: () => Shown | null;
  /** How a project's numbers come about; null where there is no such project. */
  readonly explain: (project: string) => readonly Explanation[] | null;
  /** The rows that count as merges. */
  readonly merge: { readonly kind: string; readonly target: string };
  /** What a scrape gets. */
  readonly prometheus: () => Promise<{ readonly contentType: string; readonly text: string }>;
};

export type HttpService = {
  /** Where it listens, such as `http://127.0.0.1:9464`. */
  readonly address: string;
  readonly close: () => Promise<void>;
};

/** The service cannot listen at its address. */
export class HttpUnavailable extends Error {
  readonly exitCode = 2;

  constructor(host: string, port: number, code: string) {
    super(
      `METRICS_HTTP_HOST ${host}, METRICS_HTTP_PORT ${port}: ${REASONS[code] ?? `cannot listen there (${code}). ${ELSEWHERE}`}`,
    );
    this.name = "HttpUnavailable";
  }
}

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

/** No route has a schema, so the hundred modules that compile schemas are not loaded. */
const NO_SCHEMAS = { compilersFactory: { buildValidator: never, buildSerializer: never } };

function never(): never {
  throw new Error("no route has a schema");
}

/**
 * Starts to listen and reports where.
 * @throws HttpUnavailable after reporting `http.failed`.
 */
export async function startHttp(
  { host, port }: { readonly host: string; readonly port: number },
  ports: HttpPorts,
  report: Report,
): Promise<HttpService> {
  const server = buildServer(ports, isLoopback(host));
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    const unavailable = new HttpUnavailable(host, port, code);
    report({ event: "http.failed", failure: { code, message: unavailable.message } });
    throw unavailable;
  }
  server.server.maxConnections = MAX_CONNECTIONS;
  const address = urlOf(server.server.address() as AddressInfo);
  report({ event: "http.listening", address });
  return { address, close: () => server.close() };
}

/** The service before it listens. @param onLoopback only this machine can connect. */
export function buildServer(ports: HttpPorts, onLoopback = false): FastifyInstance {
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
      // By default Node.js checks the timeouts every thirty seconds only.
      connectionsCheckingInterval: CHECK_MS,
    },
    schemaController: NO_SCHEMAS,
    frameworkErrors: (_error, _request, reply) => {
      send(reply, 400, { error: "bad_request" });
    },
  });
  server.addHook("onRequest", async (request, reply) => refuse(request, reply.headers(HEADERS), onLoopback));
  server.setNotFoundHandler((_request, reply) => send(reply, 404, { error: "not_found" }));
  server.setErrorHandler((_error, _request, reply) => send(reply, 500, { error: "internal" }));

  server.get("/healthz", (_request, reply) => {
    const alive = ports.isAlive();
    return send(reply, alive ? 200 : 503, { alive });
  });
  server.get("/readyz", (_request, reply) => {
    const readiness = ports.readiness();
    return send(reply, readiness.ready ? 200 : 503, {
      ...readiness,
      history_truncated: ports.historyTruncated(),
    });
  });
  serveDocuments(server, ports);
  servePage(server, ports);
  serveSchemas(server);
  server.get("/metrics", async (_request, reply) => {
    const { contentType, text } = await ports.prometheus();
    return reply.headers(HEADERS).type(contentType).send(text);
  });
  return server;
}

function serveDocuments(server: FastifyInstance, ports: HttpPorts): void {
  const [snapshots, histories] = [new KeptAnswer(), new KeptAnswer()];
  server.get("/snapshot.json", (request, reply) => {
    const document = ports.snapshot();
    if (document === null) return send(reply, 503, { error: "not_restored" });
    const { generated_at: moment } = document.as_of;
    const place = { version: snapshotVersion(document), moment: moment.slice(0, WHOLE_SECOND) };
    return snapshots.send(request, reply.headers(HEADERS).type(JSON_TYPE), place, () => slicedJson(document));
  });
  server.get("/history.json", (request, reply) => {
    const document = ports.history();
    if (document === null) return send(reply, 503, { error: "not_restored" });
    const place = { version: versionOf([document], null) };
    return histories.send(request, reply.headers(HEADERS).type(JSON_TYPE), place, () => slicedJson(document));
  });
}

/** All that a snapshot says, except when. */
function snapshotVersion({ metrics, projects, as_of, ...rest }: Snapshot): string {
  return versionOf([metrics, projects], { ...rest, as_of: { ...as_of, generated_at: null } });
}

/** Loaded for the first visitor: a start does not wait for the code that draws charts. */
const loadPage = () => import("./page/document.ts");

function htmlReply(reply: FastifyReply, status: number, policy: string): FastifyReply {
  return reply
    .code(status)
    .headers({ ...HEADERS, "content-security-policy": policy })
    .type("text/html; charset=utf-8");
}

function servePage(server: FastifyInstance, ports: HttpPorts): void {
  const pages = new KeptAnswer();
  server.get<{ Querystring: { filter?: unknown; all?: unknown } }>("/", async (request, reply) => {
    const { page, PAGE_POLICY } = await loadPage();
    const { filter, all } = request.query;
    const view = { filter: typeof filter === "string" ? filter : "", all: all !== undefined };
    const [readiness, problems, shown] = [ports.readiness(), ports.problems(), ports.last()];
    const current = ports.snapshot() !== null;
    const version = versionOf(shown === null ? [] : [shown.history], [
      shown === null ? null : snapshotVersion(shown.snapshot),
      { view, readiness, problems, current },
    ]);
    return pages.send(request, htmlReply(reply, current ? 200 : 503, PAGE_POLICY), { version }, () =>
      page({ readiness, problems, shown, current, view, merge: ports.merge }),
    );
  });
  server.get<{ Querystring: { name?: unknown } }>("/project", async (request, reply) => {
    const { projectPage, PAGE_POLICY } = await loadPage();
    const { name } = request.query;
    const explanations = typeof name === "string" ? ports.explain(name) : null;
    const status = explanations === null ? 404 : 200;
    return htmlReply(reply, status, PAGE_POLICY).send(projectPage(String(name), explanations));
  });
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
      reply.headers(HEADERS).type(JSON_TYPE).send(readPublished(published)),
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
  return reply.code(status).headers(HEADERS).type(JSON_TYPE).send(jsonText(document));
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
