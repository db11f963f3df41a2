/** What becomes SQL text, and what an error may say, needs no server to be told. */
import { describe, expect, it } from "vitest";
import { UnfitDatabase } from "../../src/outbox/outbox-log.ts";
import { connect } from "../../src/postgres/connection.ts";
import { failureOf } from "../../src/postgres/failure.ts";
import { literal, namesIn } from "../../src/postgres/names.ts";
import { readableColumns } from "../../src/postgres/outbox-columns.ts";

describe("SQL text", () => {
  it.each(['a"; drop table x; --', "", "Größe", "1", "x".repeat(64)])("has no schema named %j", (name) => {
    expect(() => namesIn(name)).toThrow(/^not a name/);
  });

  it.each(["it's", "", "a b", "x".repeat(256), "\\"])("has no value %j", (value) => {
    expect(() => literal(value)).toThrow(/^not a plain word/);
  });

  it("has numbers, plain words and NULL", () => {
    expect([literal(7n), literal(7), literal("metric.x"), literal(null)]).toStrictEqual([
      "7",
      "7",
      "'metric.x'",
      "NULL",
    ]);
  });
});

describe("a failure", () => {
  it("of every address of a host is reported as the first one's", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED ::1:5432"), { code: "ECONNREFUSED" });
    expect(failureOf(new AggregateError([refused, new Error("another")]))).toStrictEqual({
      code: "ECONNREFUSED",
      message: "connect ECONNREFUSED ::1:5432",
    });
  });

  it("that is not an error, or has no code, is reported all the same", () => {
    expect(failureOf("gone")).toStrictEqual({ code: "UNKNOWN", message: "gone" });
    expect(failureOf(new Error("ended"))).toStrictEqual({ code: "CONNECTION", message: "ended" });
    expect(failureOf(Object.assign(new Error("odd"), { code: 7 }))).toMatchObject({ code: "CONNECTION" });
  });

  it.each([
    ["timeout expired", "CONNECT_TIMEOUT"],
    ["Query read timeout", "ANSWER_TIMEOUT"],
    ["The server does not support SSL connections", "NO_TLS"],
  ])("of which the driver says %j and no code is given one", (message, code) => {
    expect(failureOf(new Error(message))).toStrictEqual({ code, message });
  });
});

it("a process that is stopping opens no connection", async () => {
  const settings = {
    database: { read: () => ({ connectionString: "postgres://nobody@127.0.0.1:1/nothing" }) },
    applicationName: "test",
    connectTimeoutMs: 1_000,
    statementTimeoutMs: 1_000,
    lockTimeoutMs: 1_000,
  };
  await expect(connect(settings, AbortSignal.abort())).rejects.toMatchObject({
    failure: { message: "stopping" },
  });
});

it("reading where there is no log says which schema was looked in", async () => {
  const nothing = { rows: [], command: "SELECT" };
  const refused = await readableColumns({
    ...namesIn("public"),
    query: () => Promise.resolve(nothing),
  }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(UnfitDatabase);
  expect(refused).toMatchObject({
    reason: "unfit_schema",
    problems: [expect.stringContaining("public.events_outbox")],
  });
});
