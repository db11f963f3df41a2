import pg from "pg";
import { describe, expect, test, vi } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { problemsOf, temporaryFile } from "./support.ts";

/** What node-postgres makes of the options: the judge of what a URL means. */
function asNodePostgresReadsIt(env: NodeJS.ProcessEnv) {
  const { host, port, user, database, password } = new pg.Client(loadConfig(env).database);
  return { host, port, user, database, password };
}

/** Options of Node's TLS; none: the certificate must be trusted and name the host. */
function tlsOf(database: pg.ClientConfig): unknown {
  return new pg.Client(database).ssl;
}

const CANARY = "c4nary/p@ss";
const ENCODED = encodeURIComponent(CANARY);

describe("DATABASE_URL", () => {
  test.each([
    [`postgresql://metrics:${ENCODED}@db:5433/damascus?sslmode=disable`],
    [`postgres://metrics:${ENCODED}@db:5433/damascus`],
    [`postgres://metrics@db:5433/damascus?password=${ENCODED}`],
    [`postgres://metrics:${ENCODED}@/damascus?host=db&port=5433`],
  ])("%s is understood as node-postgres understands it", (url) => {
    const expected = { host: "db", port: 5433, user: "metrics", database: "damascus", password: CANARY };
    expect(loadConfig({ DATABASE_URL: url }).database).toMatchObject(expected);
    expect(asNodePostgresReadsIt({ DATABASE_URL: url })).toStrictEqual(expected);
  });

  test("a socket directory is a host", () => {
    const url = "postgresql:///damascus?host=/run/postgresql&user=metrics";
    expect(loadConfig({ DATABASE_URL: url }).database).toMatchObject({
      host: "/run/postgresql",
      database: "damascus",
    });
    expect(asNodePostgresReadsIt({ DATABASE_URL: url })).toMatchObject({
      host: "/run/postgresql",
      user: "metrics",
    });
  });

  test("the password may come from PGPASSWORD, or a file", () => {
    for (const secret of [{ PGPASSWORD: CANARY }, { PGPASSWORD_FILE: temporaryFile(`${CANARY}\n`) }]) {
      for (const DATABASE_URL of [
        "postgres://metrics@db/damascus",
        "postgres://metrics@db/damascus?sslmode=disable",
      ]) {
        expect(asNodePostgresReadsIt({ DATABASE_URL, ...secret })).toMatchObject({
          user: "metrics",
          password: CANARY,
        });
      }
    }
  });

  test("may come from a file", () => {
    const DATABASE_URL_FILE = temporaryFile(`postgres://metrics:${ENCODED}@db/damascus\n`);
    expect(loadConfig({ DATABASE_URL_FILE }).database).toMatchObject({ host: "db", password: CANARY });
  });

  test("a mode that means verify-full is told to node-postgres as verify-full, and nothing is warned of", () => {
    const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
    try {
      for (const mode of ["prefer", "require", "verify-ca", "verify-full"]) {
        const DATABASE_URL = `postgres://metrics:${ENCODED}@db/damascus?sslmode=${mode}`;
        expect(tlsOf(loadConfig({ DATABASE_URL }).database)).toStrictEqual({});
        expect(asNodePostgresReadsIt({ DATABASE_URL })).toMatchObject({ host: "db", password: CANARY });
      }
      expect(warn).not.toHaveBeenCalled();
      // What it would say, and that it means the same today: else there would be nothing to put in its place.
      expect(tlsOf({ connectionString: "postgres://db/damascus?sslmode=require" })).toStrictEqual({});
      expect(warn).toHaveBeenCalledWith(expect.stringContaining("treated as aliases for 'verify-full'"));
    } finally {
      warn.mockRestore();
    }
  });

  test.each([
    ["", "is not a URL"],
    [`metrics:${CANARY}@db/damascus`, "is not a URL"],
    [`postgres://metrics:${CANARY} x@db`, "is not a URL"],
    [`mysql://metrics:${CANARY}@db/damascus`, "is not a URL"],
    [`postgres://metrics:%zz${ENCODED}@db/damascus`, "is not a URL"],
    [`postgres://metrics:${ENCODED}@db:99999/damascus`, "is not a URL"],
    [`postgres://metrics:${ENCODED}@db/damascus?sslmode=no-verify`, "accept any server's certificate"],
    [
      `postgres://metrics:${ENCODED}@db/damascus?sslmode=verify-full&sslmode=no-verify`,
      "accept any server's certificate",
    ],
    [`postgres://metrics:${ENCODED}@db/damascus?ssl=no-verify`, "accept any server's certificate"],
    [
      `postgres://metrics:${ENCODED}@db/damascus?uselibpqcompat=true&sslmode=require`,
      "accept any server's certificate",
    ],
    [
      `postgres://metrics:${ENCODED}@db/damascus?sslrootcert=/nonexistent`,
      "the file cannot be read (no such file or folder)",
    ],
  ])("%j is refused without a word of its secret", (url, expected) => {
    const text = problemsOf(() => loadConfig({ DATABASE_URL: url })).join("\n");
    expect(text).toContain(expected);
    expect(text).not.toContain("c4nary");
  });
});

describe("libpq's variables", () => {
  test("say where the database is", () => {
    const env = {
      PGHOST: "db",
      PGPORT: "5433",
      PGUSER: "metrics",
      PGDATABASE: "damascus",
      PGPASSWORD: CANARY,
    };
    expect(loadConfig(env).database).toStrictEqual({
      host: "db",
      port: 5433,
      user: "metrics",
      database: "damascus",
      password: CANARY,
    });
    expect(asNodePostgresReadsIt(env)).toStrictEqual(loadConfig(env).database);
  });

  test("an empty one counts as not set, as libpq has it", () => {
    const env = { PGHOST: "db", PGPORT: "", PGUSER: "", PGPASSWORD: "" };
    expect(loadConfig(env).database).toStrictEqual({ host: "db" });
  });

  test.each(["5432x", "0", "-1", "65536", "1e3"])("a PGPORT of %j is refused", (PGPORT) => {
    expect(problemsOf(() => loadConfig({ PGHOST: "db", PGPORT }))).toStrictEqual([
      `PGPORT is ${JSON.stringify(PGPORT)}: it must be a whole number from 1 to 65535, such as 5432`,
    ]);
  });

  test("a PGSSLMODE that verifies nothing is refused", () => {
    expect(problemsOf(() => loadConfig({ PGHOST: "db", PGSSLMODE: "no-verify" })).join()).toMatch(
      /^PGSSLMODE is/,
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

  test("without any word about the database there is no guess", () => {
    expect(problemsOf(() => loadConfig({ PGUSER: "metrics" })).join()).toMatch(
      /^DATABASE_URL is not set: it must say where the database is, as postgresql:/,
    );
  });
});

test("node-postgres lets a connection string decide over the fields beside it", () => {
  // The reason why a password from elsewhere is written into the string.
  const client = new pg.Client({ connectionString: "postgres://u@db/d", password: "beside" });
  expect(client.password).not.toBe("beside");
});
