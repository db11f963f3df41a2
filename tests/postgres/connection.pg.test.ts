/** What statements on one connection share, and what not. */
import { expect, test } from "vitest";
import { connect } from "../../src/postgres/connection.ts";
import { configOf } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";

test("reads that are asked for at the same time are transactions of their own: one that fails leaves the others alone", async () => {
  await using database = await createDatabase();
  const { database: place } = configOf(database.daemonUrl);
  const connection = await connect({
    database: place,
    applicationName: "damascus-metrics/test",
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 5_000,
    lockTimeoutMs: 100,
  });
  const text: string[] = [];
  const outcomes = await Promise.allSettled([
    connection.read("SELECT 1 / 0"),
    connection.read("SELECT 'read' AS answer"),
    connection.readOut("COPY (SELECT 1 / 0) TO STDOUT", () => undefined),
    connection.readOut("COPY (SELECT 'copied') TO STDOUT", ([field]) => text.push(String(field))),
    connection.readEach(["SELECT 'first' AS answer", "SELECT 'second' AS answer"]),
  ]);
  await connection.end();
  expect(outcomes).toMatchObject([
    { reason: { failure: { code: "22012" } } },
    { value: { rows: [{ answer: "read" }] } },
    { reason: { failure: { code: "22012" } } },
    { status: "fulfilled" },
    { value: [{ rows: [{ answer: "first" }] }, { rows: [{ answer: "second" }] }] },
  ]);
  expect(text).toEqual(["copied"]);
});
