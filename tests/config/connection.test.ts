/** What connection strings and libpq's variables mean: where they lead, or what is said against them. */
import { chmodSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { NoPassword } from "../../src/config/connection.ts";
import { loadConfig } from "../../src/config.ts";
import { CASES, environmentOf } from "./connection-strings.ts";
import { problemsOf, temporaryFile } from "./support.ts";

const CANARY = "c4nary/p@ss";
const ENCODED = encodeURIComponent(CANARY);
const OURS = { HOST: "db.example", PORT: "5433", USER: "metrics", PASSWORD: ENCODED, DATABASE: "damascus" };
const read = (env: NodeJS.ProcessEnv) => loadConfig(env).database.read();

const tls = (parameters: string, env: NodeJS.ProcessEnv = {}) =>
  read({ DATABASE_URL: `postgres://metrics@db/damascus?${parameters}`, ...env }).ssl;

/** What the file gives, or why nothing. */
const passwordIn = (content: string, mode = 0o600, url = "postgresql://me@db:5433/data"): unknown => {
  const PGPASSFILE = temporaryFile(content);
  chmodSync(PGPASSFILE, mode);
  const { password } = read({ DATABASE_URL: url, PGPASSFILE });
  try {
    return typeof password === "string" ? password : password();
  } catch (error) {
    return error instanceof NoPassword ? error.message : error;
  }
};

describe("each of them", () => {
  test.each(CASES.filter(([, , becomes]) => !(becomes instanceof RegExp)))(
    "%s leads where it says",
    (...one) => {
      const env = environmentOf(one, { ...OURS, ...("PGPASSWORD" in one[1] ? { PASSWORD: CANARY } : {}) });
      expect(read(env)).toMatchObject({
        host: "db.example",
        port: 5433,
        user: "metrics",
        database: "damascus",
        password: CANARY,
        ssl: false,
      });
    },
  );

  test.each(CASES.filter(([, , becomes]) => becomes instanceof RegExp))(
    "%s is refused by its name, without a word of a secret",
    (...one) => {
      const text = problemsOf(() => loadConfig(environmentOf(one, { ...OURS, HOST: "HOST" }))).join("\n");
      expect(text).toMatch(one[2]);
      expect(text).not.toContain("c4nary");
    },
  );
});

describe("DATABASE_URL", () => {
  test.each([
    [
      "postgresql:///damascus?host=/run/postgresql&user=metrics",
      { host: "/run/postgresql", database: "damascus" },
    ],
    ["postgresql://metrics@%2Frun%2Fpostgresql/damascus", { host: "/run/postgresql", user: "metrics" }],
    ["postgresql://metrics@[::1]:5433/damascus", { host: "::1", port: 5433 }],
    ["postgresql://metrics@db", { host: "db", port: 5432, database: "metrics" }],
    ["postgresql://metrics@db/a%20b?options=-c%20x%3D1+2", { database: "a b", options: "-c x=1+2" }],
  ])("%s is read as libpq reads it", (url, expected) => {
    expect(read({ DATABASE_URL: url })).toMatchObject(expected);
  });

  test("without a user it is ours, as libpq has it", () => {
    expect(loadConfig({ DATABASE_URL: "postgresql://db/damascus" }).database.user).toMatch(/./);
  });

  test("may come from a file", () => {
    const DATABASE_URL_FILE = temporaryFile(`postgres://metrics:${ENCODED}@db/damascus\n`);
    expect(read({ DATABASE_URL_FILE })).toMatchObject({ host: "db", password: CANARY });
  });

  test("the password may come from PGPASSWORD, or a file", () => {
    for (const secret of [{ PGPASSWORD: CANARY }, { PGPASSWORD_FILE: temporaryFile(`${CANARY}\n`) }])
      expect(read({ DATABASE_URL: "postgres://metrics@db/damascus", ...secret })).toMatchObject({
        user: "metrics",
        password: CANARY,
      });
  });

  test("connect_timeout is obeyed unless METRICS_CONNECT_TIMEOUT is set", () => {
    const DATABASE_URL = "postgresql://u@db/d?connect_timeout=7";
    expect(loadConfig({ DATABASE_URL }).connectTimeoutMs).toBe(7_000);
    expect(loadConfig({ DATABASE_URL, METRICS_CONNECT_TIMEOUT: "2s" }).connectTimeoutMs).toBe(2_000);
    expect(loadConfig({ DATABASE_URL: "postgresql://u@db/d?connect_timeout=0" }).connectTimeoutMs).toBe(
      5_000,
    );
  });

  test.each([
    [""],
    [`metrics:${CANARY}@db/damascus`],
    [`postgres://metrics:${CANARY} x@db`],
    [`postgres://metrics:%zz${ENCODED}@db/damascus`],
    [`postgres://metrics:${ENCODED}@db:abc/damascus`],
  ])("%j is not a URL, and is not quoted", (url) => {
    const text = problemsOf(() => loadConfig({ DATABASE_URL: url })).join("\n");
    expect(text).toContain("is not a URL");
    expect(text).not.toContain("c4nary");
  });
});

describe("TLS", () => {
  const file = temporaryFile("of a certificate");
  test.each(["prefer", "require", "verify-ca", "verify-full"])(
    "sslmode=%s is verify-full, whatever Node's variables say",
    (mode) => {
      expect(tls(`sslmode=${mode}`)).toStrictEqual({ rejectUnauthorized: true });
    },
  );

  test("files and the rest reach Node's TLS, from the URL or from libpq's variables", () => {
    const expected = {
      rejectUnauthorized: true,
      ca: "of a certificate",
      cert: "of a certificate",
      key: "of a certificate",
      crl: "of a certificate",
      minVersion: "TLSv1.3",
      maxVersion: "TLSv1.3",
    };
    expect(
      tls(
        `sslrootcert=${file}&sslcert=${file}&sslkey=${file}&sslcrl=${file}&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.3&sslpassword=x`,
      ),
    ).toStrictEqual({ ...expected, passphrase: "x" });
    expect(
      tls("", {
        PGSSLROOTCERT: file,
        PGSSLCERT: file,
        PGSSLKEY: file,
        PGSSLCRL: file,
        PGSSLMINPROTOCOLVERSION: "TLSv1.3",
        PGSSLMAXPROTOCOLVERSION: "TLSv1.3",
      }),
    ).toStrictEqual(expected);
  });

  test("sslrootcert=system takes the issuers of the system", () => {
    expect(tls("sslrootcert=system")).toHaveProperty("ca", expect.any(Array));
  });

  test("a socket needs none", () => {
    expect(tls("sslmode=verify-full&host=/run/postgresql")).toBe(false);
  });

  test.each([
    [
      "channel_binding=require&sslmode=verify-full",
      { enableChannelBinding: true, requireChannelBinding: true },
    ],
    [
      "channel_binding=disable&sslmode=verify-full",
      { enableChannelBinding: false, requireChannelBinding: false },
    ],
    ["sslnegotiation=direct&sslmode=verify-full", { sslnegotiation: "direct" }],
  ])("%s is obeyed", (parameters, expected) => {
    expect(read({ DATABASE_URL: `postgres://metrics@db/damascus?${parameters}` })).toMatchObject(expected);
  });
});

describe("libpq's variables", () => {
  test.each(["5432x", "0", "-1", "65536", "1e3"])("a PGPORT of %j is refused", (PGPORT) => {
    expect(problemsOf(() => loadConfig({ PGHOST: "db", PGPORT }))).toStrictEqual([
      `PGPORT is ${JSON.stringify(PGPORT)}: it must be a whole number from 1 to 65535, such as 5432`,
    ]);
  });

  test("without a database setting nothing is guessed", () => {
    expect(problemsOf(() => loadConfig({ PGUSER: "metrics" })).join()).toMatch(
      /^DATABASE_URL is not set: it must say where the database is, as postgresql:/,
    );
  });
});

describe("secrets", () => {
  test.each(["DATABASE_URL", "PGPASSWORD"])("%s and its file are not both accepted", (name) => {
    const env = { PGHOST: "db", [name]: "canary", [`${name}_FILE`]: temporaryFile("canary") };
    expect(problemsOf(() => loadConfig(env))).toStrictEqual([
      `${name} and ${name}_FILE are both set: keep one of them`,
    ]);
  });

  test.each([
    ["/nonexistent", 'PGPASSWORD_FILE is "/nonexistent": the file cannot be read (no such file or folder)'],
    ["/", 'PGPASSWORD_FILE is "/": the file cannot be read (it is a folder)'],
    ["", "PGPASSWORD_FILE is empty: it must be the path of a file that holds PGPASSWORD, or not be set"],
    [temporaryFile("\n"), "the file is empty, it must hold PGPASSWORD"],
  ])("a file at %j is refused", (path, problem) => {
    expect(problemsOf(() => loadConfig({ PGHOST: "db", PGPASSWORD_FILE: path })).join()).toContain(problem);
  });

  test("and files are read anew for each connection, and named when they cannot be read", () => {
    const [password, ca] = [temporaryFile("first"), temporaryFile("first issuer")];
    const { database } = loadConfig({
      DATABASE_URL: `postgresql://u@db/d?sslmode=verify-full&sslrootcert=${ca}`,
      PGPASSWORD_FILE: password,
    });
    expect(database.read()).toMatchObject({ password: "first", ssl: { ca: "first issuer" } });
    writeFileSync(password, "second\n");
    writeFileSync(ca, "second issuer");
    expect(database.read()).toMatchObject({ password: "second", ssl: { ca: "second issuer" } });
    writeFileSync(password, "");
    expect(() => database.read()).toThrow(
      `PGPASSWORD_FILE is ${JSON.stringify(password)}: the file is empty`,
    );
  });
});

describe("PGPASSFILE", () => {
  test.each([
    ["db:5433:data:me:secret\n", "secret"],
    ["# a comment\nother:5433:data:me:x\n*:*:*:me:secret:with:colons\n", "secret:with:colons"],
    [String.raw`*:*:data:me:back\\slash\:colon`, String.raw`back\slash:colon`],
    ["db:5433:data:me:first\ndb:5433:data:me:second", "first"],
    ["\r\ndb:*:*:*:windows\r\n", "windows"],
  ])("%j gives %j", (content, expected) => {
    expect(passwordIn(content)).toBe(expected);
  });

  test("is said to be ignored where others may read it, to have no line, or to be missing", () => {
    expect(passwordIn("*:*:*:*:x", 0o644)).toMatch(
      /is ignored, as others may read it \(mode 0644\): chmod 600 it$/,
    );
    expect(passwordIn("other:*:*:*:x")).toMatch(/has no line for db:5433:data:me$/);
    const { password } = read({ DATABASE_URL: "postgresql://me@db/data", PGPASSFILE: "/nonexistent" });
    expect(password).toThrow('PGPASSFILE "/nonexistent" cannot be read (no such file or folder)');
  });
});
