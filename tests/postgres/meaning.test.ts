/** One table decides what each failure leaves behind. Here every class of SQLSTATE has one line. */
import pg from "pg";
import { describe, expect, it, test } from "vitest";
import { meaningOf } from "../../src/events/meaning.ts";
import { isRefusal, leavesConnection } from "../../src/postgres/failure.ts";

/** @param where the context in which the server says it happened, if any. */
function failed(code: string, where?: string): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError("its own words", 0, "error"), { code, where });
}

/** Of failures without a context, then with one: whether they refuse rows, and whether the connection is usable after them. */
test.each([
  ["08006", "outage", "lost", "-- --"],
  ["0A000", "refusal", "statement", "-- RC"],
  ["21000", "refusal", "statement", "-- RC"],
  ["22P02", "refusal", "value", "-C RC"],
  ["23514", "refusal", "rows", "RC RC"],
  ["25006", "refusal", "answered", "-- --"],
  ["25P02", "outage", "answered", "-- --"],
  ["25P03", "pressure", "answered", "-- --"],
  ["27000", "refusal", "rows", "RC RC"],
  ["28P01", "login", "answered", "-- --"],
  ["2F003", "refusal", "statement", "-- RC"],
  ["38001", "refusal", "statement", "-- RC"],
  ["39004", "refusal", "statement", "-- RC"],
  ["40001", "outage", "answered", "-- --"],
  ["40P01", "pressure", "lock", "-C RC"],
  ["42501", "refusal", "statement", "-- RC"],
  ["42P01", "refusal", "statement", "-- RC"],
  ["44000", "refusal", "rows", "RC RC"],
  ["53100", "pressure", "answered", "-- --"],
  ["54000", "refusal", "rows", "RC RC"],
  ["54001", "refusal", "statement", "-- RC"],
  ["55000", "outage", "answered", "-- --"],
  ["55P03", "pressure", "lock", "-C RC"],
  ["57014", "pressure", "time", "-C -C"],
  ["57P01", "outage", "lost", "-- --"],
  ["58030", "refusal", "lost", "-- --"],
  ["P0001", "refusal", "rows", "RC RC"],
  ["XX000", "outage", "lost", "-- --"],
  ["XX001", "refusal", "storage", "-C -C"],
])("%s is %s, %s: %s", (code, policy, fault, leaves) => {
  expect(meaningOf(code)).toMatchObject({ policy, fault });
  const signs = [failed(code), failed(code, "PL/pgSQL function guard()")].map(
    (error) => (isRefusal(error) ? "R" : "-") + (leavesConnection(error) ? "C" : "-"),
  );
  expect(signs.join(" ")).toBe(leaves);
});

describe("a code that the table does not have", () => {
  it.each(["", "UNKNOWN", "99999", "EOWNERDEAD"])("%j is an outage of which nothing is known", (code) => {
    expect(meaningOf(code)).toMatchObject({ policy: "outage", fault: "lost", reason: null });
  });
});
