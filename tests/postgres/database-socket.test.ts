/** A host of several addresses is reached at any of them, also where the handshake takes longer than Node has patience for. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import { databaseSocket } from "../../src/postgres/database-socket.ts";

/** Accepts no connection until its standard input says so: after the first few, each waits for its handshake. */
const SLOW = `
  const server = require("node:net").createServer((socket) => socket.on("error", () => {}).end("hello"));
  server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
    require("node:fs").writeSync(1, server.address().port + "\\n");
    require("node:fs").readSync(0, Buffer.alloc(1));
  });`;
/** Of them, the first is slow and on the second no server listens. */
const ADDRESSES = [
  { address: "127.0.0.1", family: 4 },
  { address: "127.0.0.2", family: 4 },
];

it("attempts share the connect timeout: a handshake of a second succeeds at the first address", async () => {
  const server = spawn(process.execPath, ["-e", SLOW], { stdio: ["pipe", "pipe", "inherit"] });
  const before: Socket[] = [];
  try {
    const [line] = (await once(server.stdout, "data")) as [Buffer];
    const port = Number(line.toString());
    // The queue of those who wait to be taken in.
    for (let count = 0; count < 3; count += 1)
      before.push(connect(port, "127.0.0.1").on("error", () => undefined));
    await once(before[0] as Socket, "connect");
    const socket = databaseSocket(10_000, (_host, _options, found) => found(null, ADDRESSES));
    const connected = once(socket, "connect");
    socket.connect(port, "two.example");
    // Longer than the quarter of a second after which Node gives up an address by itself.
    setTimeout(() => server.stdin.write("x"), 500);
    await connected;
    expect(socket.remoteAddress).toBe("127.0.0.1");
    socket.destroy();
  } finally {
    for (const one of before) one.destroy();
    server.kill("SIGKILL");
  }
});

it("a name that is not known is reported as that", async () => {
  const socket = databaseSocket(1_000, (_host, _options, found) =>
    found(Object.assign(new Error("no"), { code: "ENOTFOUND" }), []),
  );
  const failed = once(socket, "error");
  socket.connect(5432, "nowhere.invalid");
  expect((await failed)[0]).toMatchObject({ code: "ENOTFOUND" });
});
