/** A password and row data that are easy to find again: whatever goes wrong, no output holds them in any form. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { sendAway } from "../support/backends.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { event, merges, times } from "../support/orchestrator.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** With characters that need encoding in a URL, and quoting in a message. */
const PASSWORD = "Canary/7#p@ss %word'\"";
const ROW_DATA = "canary-row-data";
const FORMS = [
  PASSWORD,
  encodeURIComponent(PASSWORD),
  encodeURI(PASSWORD),
  JSON.stringify(PASSWORD).slice(1, -1),
  Buffer.from(PASSWORD).toString("base64"),
  Buffer.from(PASSWORD).toString("hex"),
  "Canary",
];

let server: TestServer;
let database: TestDatabase;
let url: URL;

beforeAll(async () => {
  server = await startServer({ password: "of the superuser" });
  database = await createDatabase({ adminUrl: server.url() });
  await database.admin.query(`ALTER ROLE ${database.role} PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
  url = new URL(database.daemonUrl);
  url.password = encodeURIComponent(PASSWORD);
  await merges(database.admin, times(3));
  await event(database.admin, {
    kind: "phase.transition",
    itemId: "1",
    payload: JSON.stringify({ target: "merged", note: ROW_DATA }),
  });
  await database.admin.query(`UPDATE work_items SET file_scope = '["${ROW_DATA}"]'`);
});

afterAll(async () => {
  await database.drop();
  await server[Symbol.asyncDispose]();
});

/** What of all that stands in this output. */
function leaks(output: string): string[] {
  if (output === "") return ["it says nothing at all"];
  return [...FORMS, ROW_DATA].filter((form) => output.includes(form));
}

/** Everything that a command prints, and its exit code. */
function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ENTRY, ...args], { env, timeout: 20_000 }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), output: out + err }),
    );
  });
}

function changed(change: (url: URL) => void): string {
  const other = new URL(url);
  change(other);
  return other.href;
}

describe("metrics snapshot keeps the password to itself:", () => {
  it.each<[string, number, () => string]>([
    ["nothing wrong", 0, () => url.href],
    ["no server listens", 3, () => changed((other) => (other.port = "1"))],
    ["no such host", 3, () => changed((other) => (other.hostname = "nowhere.invalid"))],
    ["a wrong user", 3, () => changed((other) => (other.username = "stranger"))],
    ["a wrong password", 3, () => changed((other) => (other.password += "x"))],
    ["no such database", 3, () => changed((other) => (other.pathname = "/nothing"))],
    ["a server without TLS", 3, () => changed((other) => other.searchParams.set("sslmode", "verify-full"))],
    ["an unknown sslmode", 2, () => changed((other) => other.searchParams.set("sslmode", PASSWORD))],
    ["a password that is not encoded", 2, () => url.href.replace(url.password, PASSWORD)],
    ["no URL at all", 2, () => PASSWORD],
    ["another protocol", 2, () => url.href.replace("postgres:", "https:")],
  ])("%s", async (_, expected, given) => {
    const { code, output } = await run(["snapshot"], environment(given()));
    expect(code).toBe(expected);
    expect(leaks(output)).toEqual([]);
  });

  it.each<[string, string, NodeJS.ProcessEnv]>([
    [
      "in PGPASSWORD, wrong",
      "snapshot",
      { DATABASE_URL: "", PGPASSWORD: `${PASSWORD}x`, PGHOST: "127.0.0.1", PGUSER: "a" },
    ],
    ["in a variable of another name", "config", { METRICS_PASSWORD: PASSWORD, METRICS_POLL_INTERVAL: "5s" }],
    ["in place of a number", "config", { METRICS_HTTP_PORT: "x", PGPASSWORD: PASSWORD }],
  ])("%s", async (_, verb, given) => {
    const { output } = await run([verb], { ...environment(url.href), ...given });
    expect(leaks(output)).toEqual([]);
  });

  it.each(["config", "config --json", "config --check", "health", "verify"])("metrics %s", async (verb) => {
    const { output } = await run(verb.split(" "), environment(url.href));
    expect(leaks(output)).toEqual([]);
  });

  it("in a file that is no secret of ours", async () => {
    const folder = mkdtempSync(join(tmpdir(), "damascus-canary-"));
    try {
      const file = join(folder, "secret");
      writeFileSync(file, `${PASSWORD}\n`);
      for (const name of ["DATABASE_URL_FILE", "METRICS_CONFIG_FILE"]) {
        const env = { ...environment(name === "DATABASE_URL_FILE" ? "" : url.href), [name]: file };
        const { code, output } = await run(["snapshot"], env);
        expect(code).toBe(2);
        expect(leaks(output)).toEqual([]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it("the daemon keeps the password and row data to itself through every class of error", async () => {
  await using daemon = spawnDaemon(url.href, { METRICS_LOG_LEVEL: "debug", METRICS_LOCK_TIMEOUT: "100ms" });
  await daemon.line("daemon.ready");
  const { admin, role } = database;
  const restored = async (from: number): Promise<void> => {
    await daemon.line("restore.completed", undefined, from);
  };
  // Privileges: the statement that fails carries the rows.
  let mark = daemon.mark();
  await admin.query(`REVOKE INSERT (payload) ON events_outbox FROM ${role}`);
  await merges(admin, times(1));
  await daemon.line("db.unfit", undefined, mark);
  await admin.query(`GRANT INSERT (payload) ON events_outbox TO ${role}`);
  await restored(mark);
  // A constraint: its error has the failing row as detail.
  mark = daemon.mark();
  await admin.query(
    "ALTER TABLE events_outbox ADD CONSTRAINT odd CHECK (kind NOT LIKE 'metric.%') NOT VALID",
  );
  await merges(admin, times(1));
  const refused = await daemon.line("db.unfit", undefined, mark);
  expect(refused["problems"]).toEqual([expect.stringContaining("23514")]);
  await admin.query("ALTER TABLE events_outbox DROP CONSTRAINT odd");
  await daemon.line("merge.recorded", undefined, mark);
  // A lock, a killed backend, a crash of the server, a login refused.
  mark = daemon.mark();
  await sendAway(database);
  await restored(mark);
  mark = daemon.mark();
  await server.restart("immediate");
  await restored(mark);
  mark = daemon.mark();
  await admin.query(`ALTER ROLE ${role} PASSWORD 'another'`);
  await sendAway(database);
  await daemon.line("db.connect_failed", undefined, mark);
  await admin.query(`ALTER ROLE ${role} PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
  await restored(mark);
  // A log that contradicts itself.
  mark = daemon.mark();
  await admin.query(
    `UPDATE events_outbox SET payload = payload || '{"numerator": 77, "note": "${ROW_DATA}"}'
      WHERE id = (SELECT max(id) FROM events_outbox WHERE kind = 'metric.rebase_conflict_rate')`,
  );
  await daemon.line("db.unfit", undefined, mark);
  await daemon.stop();
  expect(leaks(daemon.output())).toEqual([]);
});
