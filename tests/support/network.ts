/**
 * A network before PostgreSQL that has bad days. Unlike a proxy that drops bytes, it behaves as TCP does: what is held up
 * arrives later, in order, even when its sender has long given up; or the connection ends.
 */
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { listenAnywhere, through } from "./way-through.ts";

/**
 * `silent`: nothing arrives, connections are still taken in, and what was sent arrives when the weather changes.
 * `crumbs`: a few bytes at a time. `slow`: everything `LATENCY_MS` late. `down`: connections end, none is taken in.
 */
export type Weather = "clear" | "silent" | "crumbs" | "slow" | "down";

/** What becomes of the next COMMIT: it is lost with its connection, or it arrives and its answer is lost. */
export type CommitFate = "cut-before" | "cut-after" | "no-answer";

export interface Network extends AsyncDisposable {
  /** The same connection string, by way of this network. */
  readonly url: (url: string) => string;
  weather: Weather;
  /** For the next COMMIT alone; null again when it has struck. */
  commitFate: CommitFate | null;
}

const LATENCY_MS = 100;
const LARGEST_CRUMB = 7;

/** The end of a write: a reading transaction is one message from its beginning to its end. */
function isCommit(bytes: Buffer): boolean {
  return bytes.includes("COMMIT\0") && !bytes.includes("READ ONLY");
}

export async function startNetwork(targetUrl: string): Promise<Network> {
  const target = new URL(targetUrl);
  const links = new Set<{ readonly change: () => void; readonly cut: () => void }>();
  const state: { weather: Weather; commitFate: CommitFate | null } = { weather: "clear", commitFate: null };

  const listener = createServer((client) => {
    if (state.weather === "down") {
      client.destroy();
      return;
    }
    const server = new Socket();
    const cut = (): void => {
      links.delete(link);
      client.destroy();
      // In good order: what has arrived there is read.
      server.end();
    };
    const upwards = lane(server, () => state.weather);
    const downwards = lane(client, () => state.weather);
    const link = {
      cut,
      change: () => {
        upwards.move();
        downwards.move();
      },
    };
    links.add(link);
    let answerLost = false;
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.on("data", (bytes: Buffer) => {
      const fate = isCommit(bytes) ? state.commitFate : null;
      if (fate !== null) state.commitFate = null;
      if (fate === "cut-before") {
        cut();
        return;
      }
      upwards.put(bytes);
      if (fate === "cut-after") cut();
      if (fate === "no-answer") answerLost = true;
    });
    server.on("data", (bytes: Buffer) => {
      if (!answerLost) downwards.put(bytes);
    });
    client.on("error", () => undefined);
    server.on("error", () => undefined);
    // What one end sent before it went may still be on its way to the other.
    client.on("close", () => {
      if (server.closed) links.delete(link);
      upwards.end();
    });
    server.on("close", () => {
      if (client.closed) links.delete(link);
      downwards.end();
    });
    server.connect(Number(target.port), target.hostname);
  });
  const port = await listenAnywhere(listener);

  return {
    url: (url) => through(url, port),
    get weather() {
      return state.weather;
    },
    set weather(next) {
      state.weather = next;
      for (const link of links) {
        if (next === "down") link.cut();
        else link.change();
      }
    },
    get commitFate() {
      return state.commitFate;
    },
    set commitFate(next) {
      state.commitFate = next;
    },
    [Symbol.asyncDispose]: async () => {
      for (const link of links) link.cut();
      listener.close();
      await once(listener, "close");
    },
  };
}

type Lane = { readonly put: (bytes: Buffer) => void; readonly move: () => void; readonly end: () => void };

/** One direction of a connection: what is on its way to `to`, delivered as the weather permits. */
function lane(to: Socket, weather: () => Weather): Lane {
  let held = Buffer.alloc(0);
  let waiting = false;
  let ended = false;
  const later = (ms: number): void => {
    if (waiting) return;
    waiting = true;
    const go = (): void => {
      waiting = false;
      move(true);
    };
    if (ms === 0) setImmediate(go);
    else setTimeout(go, ms);
  };
  const deliver = (count: number): void => {
    to.write(held.subarray(0, count));
    held = held.subarray(count);
  };
  function move(due = false): void {
    const now = weather();
    if (now === "silent" || to.destroyed || to.writableEnded) return;
    if (held.length > 0) {
      if (now === "crumbs") {
        deliver(1 + Math.floor(Math.random() * LARGEST_CRUMB));
        later(0);
      } else if (now === "slow" && !due) later(LATENCY_MS);
      else deliver(held.length);
    }
    if (ended && held.length === 0) to.end();
  }
  return {
    put: (bytes) => {
      held = Buffer.concat([held, bytes]);
      move();
    },
    move: () => move(),
    end: () => {
      ended = true;
      move();
    },
  };
}
