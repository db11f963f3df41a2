/** What a server may say is collected into whole messages, however it arrives, and everything else is refused. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { BackendMessages, ProtocolViolation } from "../../src/postgres/backend-messages.ts";
import { backendMessage, errorResponse } from "../support/mangling.ts";

const row = (...values: readonly (string | null)[]): Buffer => {
  const parts = values.map((value) => {
    const bytes = Buffer.from(value ?? "");
    const length = Buffer.alloc(4);
    length.writeInt32BE(value === null ? -1 : bytes.length);
    return Buffer.concat([length, bytes]);
  });
  return backendMessage("D", Buffer.concat([Buffer.from([0, values.length]), ...parts]));
};

function headerOf(length: number): Buffer {
  const header = Buffer.from("D\0\0\0\0");
  header.writeInt32BE(length, 1);
  return header;
}

const GOOD = [
  backendMessage("R", Buffer.from([0, 0, 0, 0])),
  backendMessage("S", Buffer.from("TimeZone\0UTC\0")),
  backendMessage("K", Buffer.alloc(8)),
  backendMessage("1", Buffer.alloc(0)),
  backendMessage("T", Buffer.concat([Buffer.from([0, 1]), Buffer.from("id\0"), Buffer.alloc(18)])),
  row("one", null, ""),
  row(),
  row("x".repeat(1_000)),
  backendMessage("C", Buffer.from("SELECT 3\0")),
  errorResponse("57P01", "terminating connection"),
  backendMessage("A", Buffer.from("\0\0\0\x01channel\0payload\0")),
  backendMessage("d", Buffer.from("a line of COPY\n")),
  backendMessage("Z", Buffer.from("I")),
];

test("in whatever pieces they arrive, the same messages come out, whole", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...GOOD), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }),
      (sent, sizes) => {
        const stream = Buffer.concat(sent);
        const messages = new BackendMessages();
        const got: Buffer[] = [];
        for (let at = 0, piece = 0; at < stream.length; piece += 1) {
          const size = sizes[piece % sizes.length] ?? 1;
          const whole = messages.take(stream.subarray(at, at + size));
          if (whole !== null) got.push(whole);
          at += size;
        }
        expect(Buffer.concat(got)).toStrictEqual(stream);
      },
    ),
  );
});

test("a message of many pieces costs no more than its size", () => {
  const large = row("x".repeat(20_000_000));
  const messages = new BackendMessages();
  const startedAt = performance.now();
  for (let at = 0; at < large.length; at += 1_000) messages.take(large.subarray(at, at + 1_000));
  // Put together anew with each of twenty thousand pieces it would take minutes.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

describe("is refused, before anything of it is collected:", () => {
  it.each([
    ["an unknown kind", Buffer.from("x\0\0\0\x04")],
    ["a length of 2 GB", headerOf(0x7fff_ffff)],
    ["a length below its own", headerOf(3)],
    ["a negative length", headerOf(-1)],
    ["a row with fewer bytes than its values", backendMessage("D", Buffer.from([0, 1, 0, 0, 0, 9, 1]))],
    ["a row with more bytes than its values", backendMessage("D", Buffer.from([0, 1, 0, 0, 0, 1, 1, 1]))],
    ["a value of less than no bytes", backendMessage("D", Buffer.from([0, 1, 255, 255, 255, 254]))],
    [
      "an error without its end, in which the driver would look for it forever",
      backendMessage("E", Buffer.from("SFATAL\0")),
    ],
    ["a parameter without a value", backendMessage("S", Buffer.from("TimeZone\0"))],
    ["a state that is none", backendMessage("Z", Buffer.from("?"))],
    ["HTTP", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ])("%s", (_, bytes) => {
    expect(() => new BackendMessages().take(bytes)).toThrow(/^not PostgreSQL's protocol: /);
  });

  it("any bytes at all are taken or refused, nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom(...GOOD), (bytes, good) => {
        expect(["taken", "PROTOCOL_VIOLATION"]).toContain(outcome(Buffer.concat([good, bytes])));
      }),
    );
  });
});

/** What becomes of these bytes. */
function outcome(bytes: Buffer): unknown {
  try {
    new BackendMessages().take(bytes);
    return "taken";
  } catch (error) {
    return error instanceof ProtocolViolation ? error.code : error;
  }
}
