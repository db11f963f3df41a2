/** With verify-full the server has to prove who it is: the right certificate, of this host, of today. Files are read anew. */
import { execFile } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { merge } from "../support/orchestrator.ts";
import { findProgram, runProgram } from "../support/programs.ts";
import { startServer, type TestServer } from "../support/server.ts";

const openssl = findProgram("openssl");
const faketime = findProgram("faketime");
const folder = mkdtempSync(join(tmpdir(), "damascus-tls-"));
let server: TestServer;
let database: TestDatabase;
let encrypts = false;

beforeAll(async () => {
  server = await startServer({ password: "of the superuser" });
  database = await createDatabase({ adminUrl: server.url() });
  const { rows } = await database.admin.query<{ setting: string }>(
    "SELECT setting FROM pg_settings WHERE name = 'ssl_library'",
  );
  encrypts = (rows[0]?.setting ?? "") !== "";
});

afterAll(async () => {
  await database.drop();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

type Certificate = { readonly key: string; readonly certificate: string };

function makeCertificate(name: string, host: string, before: readonly string[] = []): Certificate {
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${host}`];
  const request = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-keyout",
    key,
    "-out",
    certificate,
  ];
  const [program = "", ...args] = [...before, openssl ?? "", ...request, ...subject];
  const { status, stderr } = runProgram(program, args);
  if (status !== 0) throw new Error(stderr);
  return { key, certificate };
}

/** The server's own folder is the one place from which its user can read a key for certain. */
async function use({ key, certificate }: Certificate): Promise<void> {
  const { uid, gid } = statSync(server.dataDir);
  for (const [from, to] of [
    [key, "server.key"],
    [certificate, "server.crt"],
  ] as const) {
    const file = join(server.dataDir, to);
    writeFileSync(file, readFileSync(from), { mode: 0o600 });
    chownSync(file, uid, gid);
  }
  await database.admin.query("ALTER SYSTEM SET ssl = on");
  await server.restart();
}

/** Our role's URL, which has the server's certificate verified against these issuers (null: those of the host). */
function verified(root: string | null): string {
  const url = new URL(database.daemonUrl);
  url.searchParams.set("sslmode", "verify-full");
  if (root !== null) url.searchParams.set("sslrootcert", root);
  return url.href;
}

function snapshot(root: string | null): Promise<{ code: number; err: string }> {
  return snapshotOf(verified(root));
}

function snapshotOf(url: string): Promise<{ code: number; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ENTRY, "snapshot"], { env: environment(url) }, (error, _, err) =>
      resolve({ code: Number(error?.code ?? 0), err }),
    );
  });
}

it("the certificate of this host, from an issuer that is named, is trusted, and from one that is not, refused", async (ctx) => {
  if (openssl === null) return ctx.skip("openssl is not installed");
  if (!encrypts) return ctx.skip("this PostgreSQL was built without TLS");
  const right = makeCertificate("right", "IP:127.0.0.1");
  await use(right);
  expect((await snapshot(right.certificate)).code).toBe(0);
  const stranger = await snapshot(null);
  expect(stranger.code).toBe(3);
  expect(stranger.err).toMatch(/self-signed certificate/i);
});

it("the certificate of another host is refused", async (ctx) => {
  if (openssl === null) return ctx.skip("openssl is not installed");
  if (!encrypts) return ctx.skip("this PostgreSQL was built without TLS");
  const other = makeCertificate("other", "DNS:elsewhere.example");
  await use(other);
  const { code, err } = await snapshot(other.certificate);
  expect(code).toBe(3);
  expect(err).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
});

it("a server that gives up TLS gets nothing in clear text: the daemon waits, and continues when TLS is back", async (ctx) => {
  if (openssl === null) return ctx.skip("openssl is not installed");
  if (!encrypts) return ctx.skip("this PostgreSQL was built without TLS");
  const right = makeCertificate("steady", "IP:127.0.0.1");
  await use(right);
  await using daemon = startDaemon(database, { url: verified(right.certificate) });
  await daemon.ready();
  const encrypted = await database.admin.query<{ ssl: boolean }>(
    "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = $1",
    [database.role],
  );
  expect(encrypted.rows).toEqual([{ ssl: true }]);
  await database.admin.query("ALTER SYSTEM SET ssl = off");
  await server.restart();
  await merge(database.admin);
  await daemon.event(
    "db.connect_failed",
    ({ failure, attempt }) => attempt >= 3 && failure.code === "NO_TLS",
  );
  expect(daemon.all("merge.recorded")).toEqual([]);
  await database.admin.query("ALTER SYSTEM SET ssl = on");
  await server.restart();
  await daemon.converged();
  expect(daemon.all("merge.recorded")).toHaveLength(1);
});

it("a daemon whose server comes back with an expired certificate, or bars its role, waits for better", async (ctx) => {
  if (openssl === null || faketime === null) return ctx.skip("openssl or faketime is not installed");
  if (!encrypts) return ctx.skip("this PostgreSQL was built without TLS");
  const [good, expired] = [
    makeCertificate("good", "IP:127.0.0.1"),
    makeCertificate("late", "IP:127.0.0.1", [faketime, "10 days ago"]),
  ];
  const both = join(folder, "both.crt");
  writeFileSync(both, [good, expired].map(({ certificate }) => readFileSync(certificate, "utf8")).join(""));
  await use(good);
  await using daemon = startDaemon(database, { url: verified(both) });
  await daemon.ready();
  await use(expired);
  await daemon.event("db.connect_failed", ({ failure }) => failure.code === "CERT_HAS_EXPIRED");
  await use(good);
  await daemon.converged();
  const rules = join(server.dataDir, "pg_hba.conf");
  const before = readFileSync(rules, "utf8");
  writeFileSync(rules, `host all ${database.role} 127.0.0.1/32 reject\n${before}`);
  await server.restart();
  await daemon.event("db.connect_failed", ({ failure }) => failure.code === "28000");
  writeFileSync(rules, before);
  await database.admin.query("SELECT pg_reload_conf()");
  const { eventId } = await merge(database.admin);
  expect(await daemon.event("merge.recorded", (one) => one.event_id === eventId)).toBeDefined();
});

it("a certificate that has expired is refused", async (ctx) => {
  if (openssl === null || faketime === null) return ctx.skip("openssl or faketime is not installed");
  if (!encrypts) return ctx.skip("this PostgreSQL was built without TLS");
  const expired = makeCertificate("expired", "IP:127.0.0.1", [faketime, "10 days ago"]);
  await use(expired);
  const { code, err } = await snapshot(expired.certificate);
  expect(code).toBe(3);
  expect(err).toMatch(/CERT_HAS_EXPIRED/);
});

it("an issuer's file that is replaced is taken up with the next connection; one that is missing is named and waited for", async (ctx) => {
  if (openssl === null) return ctx.skip("openssl is not installed");
  if (!encrypts) return ctx.skip("this PostgreSQL was built without TLS");
  const [old, next] = [makeCertificate("old", "IP:127.0.0.1"), makeCertificate("next", "IP:127.0.0.1")];
  const root = join(folder, "root.crt");
  const copy = ({ certificate }: Certificate) => writeFileSync(root, readFileSync(certificate));
  copy(old);
  await use(old);
  await using daemon = startDaemon(database, { url: verified(root), listens: true });
  await daemon.ready();
  await daemon.event("listen.connected");
  const rotated = daemon.mark();
  await use(next);
  const untrusted = await daemon.event(
    "db.connect_failed",
    ({ failure }) => failure.code === "DEPTH_ZERO_SELF_SIGNED_CERT",
    rotated,
  );
  expect(untrusted.retry_in_ms).toBeGreaterThan(0);
  rmSync(root);
  const missing = await daemon.event(
    "db.connect_failed",
    ({ failure }) => failure.code === "SETTINGS",
    daemon.mark(),
  );
  expect(missing.failure.message).toBe(
    `sslrootcert in DATABASE_URL is ${JSON.stringify(root)}: the file cannot be read (no such file or folder)`,
  );
  copy(next);
  const back = daemon.mark();
  await daemon.event("restore.completed", undefined, back);
  await daemon.event("listen.connected", undefined, back);
  await merge(database.admin);
  await daemon.converged();
});

it("channel_binding=require is met by a login that is bound to the TLS channel, and refuses any other", async (ctx) => {
  if (openssl === null) return ctx.skip("openssl is not installed");
  if (!encrypts) return ctx.skip("this PostgreSQL was built without TLS");
  const right = makeCertificate("bound", "IP:127.0.0.1");
  await use(right);
  const bound = `${verified(right.certificate)}&channel_binding=require`;
  expect((await snapshotOf(bound)).code).toBe(0);
  const rules = join(server.dataDir, "pg_hba.conf");
  const before = readFileSync(rules, "utf8");
  writeFileSync(rules, `host all ${database.role} 127.0.0.1/32 trust\n${before}`);
  await server.restart();
  const { code, err } = await snapshotOf(bound);
  writeFileSync(rules, before);
  await server.restart();
  expect(code).toBe(3);
  expect(err).toContain("NO_CHANNEL_BINDING");
});

it("sslnegotiation=direct begins with TLS at once, where the server can", async (ctx) => {
  if (openssl === null) return ctx.skip("openssl is not installed");
  const { rows } = await database.admin.query<{ server_version_num: string }>("SHOW server_version_num");
  if (!encrypts || Number(rows[0]?.server_version_num) < 170_000)
    return ctx.skip("this PostgreSQL takes no direct TLS");
  const right = makeCertificate("direct", "IP:127.0.0.1");
  await use(right);
  expect((await snapshotOf(`${verified(right.certificate)}&sslnegotiation=direct`)).code).toBe(0);
});
