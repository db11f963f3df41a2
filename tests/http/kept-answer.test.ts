/** Documents are made once per change, and a client that has one gets no second copy. */
import { setTimeout } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { fastify } from "fastify";
import { describe, expect, test } from "vitest";
import { inTurn, KeptAnswer, slicedJson } from "../../src/http/kept-answer.ts";
import { buildServer } from "../../src/http/server.ts";
import { jsonText } from "../../src/text/safe.ts";
import { example, names } from "../page/example.ts";

const PATHS = ["/", "/snapshot.json", "/history.json"];

describe.each(PATHS)("%s", (url) => {
  test("is sent compressed to a client that accepts gzip, with the same text", async () => {
    const server = buildServer(example(names(300), 900).served);
    const plain = await server.inject({ url });
    const compressed = await server.inject({ url, headers: { "accept-encoding": "br, gzip;q=0.5" } });
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect([compressed.headers["content-encoding"], compressed.headers["vary"]]).toStrictEqual([
      "gzip",
      "accept-encoding",
    ]);
    expect(gunzipSync(compressed.rawPayload).toString()).toBe(plain.body);
    expect(compressed.rawPayload.length).toBeLessThan(50_000);
    const refused = await server.inject({ url, headers: { "accept-encoding": "gzip;q=0, br" } });
    expect(refused.headers["content-encoding"]).toBeUndefined();
  });

  test("is not sent again to a client that has it, until a merge is recorded", async () => {
    const daemon = example(names(300), 900);
    const server = buildServer(daemon.served);
    const first = await server.inject({ url });
    const headers = { "if-none-match": String(first.headers["etag"]) };
    const again = await server.inject({ url, headers });
    expect([again.statusCode, again.body, again.headers["etag"]]).toStrictEqual([
      304,
      "",
      first.headers["etag"],
    ]);
    daemon.record(1);
    const later = await server.inject({ url, headers });
    expect([later.statusCode, later.headers["etag"] === first.headers["etag"]]).toStrictEqual([200, false]);
  });
});

test("the page changes with the daemon's condition, and with the filter", async () => {
  const daemon = example(names(3), 900);
  const server = buildServer(daemon.served);
  const tagOf = async (url: string) => (await server.inject({ url })).headers["etag"];
  const tags = [await tagOf("/"), await tagOf("/?filter=atlas"), await tagOf("/?all")];
  daemon.report({ event: "listen.lost", failure: { code: "ECONNRESET", message: "" }, retry_in_ms: 1 });
  tags.push(await tagOf("/"));
  expect(new Set(tags).size).toBe(4);
});

test("a failure while a document is made is not kept", async () => {
  const kept = new KeptAnswer();
  const server = fastify();
  let fails = true;
  server.get("/", (request, reply) =>
    kept.send(request, reply, { version: "1" }, async () => {
      if (fails) throw new Error("canary");
      return "made";
    }),
  );
  expect((await server.inject("/")).statusCode).toBe(500);
  fails = false;
  expect((await server.inject("/")).body).toBe("made");
});

test("a document in slices is the same text as one at once", async () => {
  const list = Array.from({ length: 1000 }, (_, index) => ({ index, name: "\u202e\u0007é\n" }));
  for (const document of [
    {},
    { list: [], one: null, text: "\u2028" },
    { schema_version: 1, list, more: { list } },
  ])
    expect(await slicedJson(document)).toBe(jsonText(document));
});

test("the event loop runs between two slices", async () => {
  const order: string[] = [];
  const made = inTurn([1, 2, 3].map((one) => () => order.push(`slice ${one}`)));
  setImmediate(() => order.push("merge"));
  await made;
  expect(order.indexOf("merge")).toBeLessThan(order.indexOf("slice 3"));
});

test("after a text was made, the next one begins only after three times as long: merges come first", async () => {
  const kept = new KeptAnswer();
  const server = fastify();
  const times: number[] = [];
  server.get("/:version", (request, reply) =>
    kept.send(request, reply, { version: request.url }, async () => {
      times.push(performance.now());
      await setTimeout(30);
      times.push(performance.now());
      return request.url;
    }),
  );
  expect((await server.inject("/one")).body).toBe("/one");
  expect((await server.inject("/one")).body).toBe("/one");
  expect((await server.inject("/two")).body).toBe("/two");
  const [began = 0, ended = 0, next = 0] = times;
  expect(times).toHaveLength(4);
  expect(next - ended).toBeGreaterThan(2.9 * (ended - began));
});
