/**
 * A proxy before PostgreSQL that knows where its messages begin and end, and breaks the connection exactly where a test
 * wants it: before or behind any message of the client, or with the answer lost. Or it swallows everything, as a
 * half-open network does. Or it puts other bytes into the place of any message of the server.
 */
import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import { listenAnywhere, through } from "./way-through.ts";

/** A message of the client. */
export type FrontendMessage = {
  /** Its letter, such as Q (query), P (parse), B (bind), E (execute), S (sync), X (leave); "startup" for the first. */
  readonly type: string;
  /** What it carries, as text: the SQL of a Q or P. */
  readonly text: string;
  /** Which connection through this proxy, from 1. */
  readonly connection: number;
};

/**
 * What becomes of a message. `cut-before`: the server never sees it. `cut-after`: the server sees it, the client never
 * hears again. `lose-answer`: likewise, but only after the server has answered. `blackhole`: from now on neither side hears of
 * the other one, and the connection stays. `half`: the server sees half of it, and then the same. `stall`: what the server
 * answers is not taken any more. A text: another statement in its place.
 */
export type Verdict =
  | "pass"
  | "cut-before"
  | "cut-after"
  | "lose-answer"
  | "blackhole"
  | "half"
  | "stall"
  | { readonly say: string };

/** A message of the server. */
export type BackendMessage = {
  /** Its letter, such as D (a row), C (a statement is complete), Z (ready for the next one). */
  readonly type: string;
  readonly bytes: Buffer;
  /** Which connection through this proxy, from 1. */
  readonly connection: number;
};

/** Other bytes in its place; the connection ends behind them, or behind the end of that answer (the next Z), or goes on. */
export type Mangled = { readonly bytes: Buffer; readonly after: "cut" | "cut when answered" | "go on" };

export type ProxyMode = "pass" | "blackhole" | "cut";

export interface Proxy extends AsyncDisposable {
  /** The same connection string, by way of the proxy. */
  readonly url: (url: string) => string;
  /** `cut` also breaks the connections that there are, and refuses new ones; `blackhole` also takes new ones in. */
  mode: ProxyMode;
  /** Asked for every message of a client, in order. */
  onMessage: (message: FrontendMessage) => Verdict;
  /** Asked for every message of the server, in order, on connections that are made while it is not null. */
  onReply: ((message: BackendMessage) => Mangled | "pass") | null;
  /** How many connections there were. */
  readonly connections: number;
  /** New connections go to another server; those that there are break. */
  readonly moveTo: (url: string) => void;
}

/** The end of a write: no reading transaction's, which is one message from its beginning to its end. */
export function isCommit({ type, text }: Pick<FrontendMessage, "type" | "text">): boolean {
  return type === "Q" && text.endsWith("COMMIT\0") && !text.includes("READ ONLY");
}

/** The values of an append, whose statement the session keeps. */
export function isAppend({ type, text }: Pick<FrontendMessage, "type" | "text">): boolean {
  return type === "B" && text.includes("metrics_insert");
}

const passAll: Proxy["onMessage"] = () => "pass";

type Link = { readonly number: number; readonly client: Socket; readonly server: Socket; deaf: boolean };

export async function startProxy(targetUrl: string): Promise<Proxy> {
  let target = new URL(targetUrl);
  const links = new Set<Link>();
  let count = 0;
  let mode: ProxyMode = "pass";
  const proxy: Pick<Proxy, "onMessage" | "onReply"> = { onMessage: passAll, onReply: null };
  const listener: Server = createServer((client) => {
    if (mode === "cut") {
      client.destroy();
      return;
    }
    count += 1;
    const server = new Socket();
    const link: Link = { number: count, client, server, deaf: mode === "blackhole" };
    links.add(link);
    const close = (): void => {
      links.delete(link);
      client.destroy();
      // Gracefully: what was sent before is read by the server.
      server.end();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", close);
      socket.on("close", close);
    }
    server.connect(Number(target.port), target.hostname);
    const mangle = (message: BackendMessage) => proxy.onReply?.(message) ?? "pass";
    forward(link, (message) => proxy.onMessage(message), proxy.onReply === null ? null : mangle, close);
  });
  const port = await listenAnywhere(listener);
  return {
    url: (url) => through(url, port),
    get mode() {
      return mode;
    },
    set mode(next: ProxyMode) {
      mode = next;
      for (const link of links) {
        if (next === "cut") link.client.destroy();
        link.deaf = next === "blackhole";
      }
    },
    get onMessage() {
      return proxy.onMessage;
    },
    set onMessage(next) {
      proxy.onMessage = next;
    },
    get connections() {
      return count;
    },
    get onReply() {
      return proxy.onReply;
    },
    set onReply(next) {
      proxy.onReply = next;
    },
    moveTo: (url) => {
      target = new URL(url);
      for (const link of links) link.client.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      for (const link of links) {
        link.client.destroy();
        link.server.destroy();
      }
      listener.close();
      await once(listener, "close");
    },
  };
}

/** Passes messages whole, one by one; a verdict may end that. */
function forward(
  link: Link,
  ask: (message: FrontendMessage) => Verdict,
  mangle: ((message: BackendMessage) => Mangled | "pass") | null,
  close: () => void,
): void {
  const { client, server } = link;
  let started = false;
  let ended = false;
  let answerLost = false;
  const fromClient = messages(() => started);
  const fromServer = messages(() => true);
  client.on("data", (bytes: Buffer) => {
    for (const whole of fromClient(bytes)) {
      if (ended || link.deaf) return;
      const verdict = ask(described(whole, started, link.number));
      started = true;
      if (verdict === "blackhole") {
        link.deaf = true;
        return;
      }
      if (verdict === "cut-before") {
        ended = true;
        close();
        return;
      }
      if (verdict === "half") {
        server.write(whole.subarray(0, Math.floor(whole.length / 2)));
        link.deaf = true;
        return;
      }
      if (verdict === "stall") server.pause();
      if (typeof verdict === "object") server.write(query(verdict.say));
      else server.write(whole);
      if (verdict === "cut-after") {
        ended = true;
        close();
        return;
      }
      if (verdict === "lose-answer") answerLost = true;
    }
  });
  let cutWhenAnswered = false;
  const passOn = (whole: Buffer): void => {
    const type = String.fromCharCode(whole[0] ?? 0);
    const verdict = mangle?.({ type, bytes: whole, connection: link.number }) ?? "pass";
    const { bytes, after } = verdict === "pass" ? { bytes: whole, after: "go on" } : verdict;
    client.write(bytes);
    cutWhenAnswered ||= after === "cut when answered";
    if (after !== "cut" && !(cutWhenAnswered && type === "Z")) return;
    ended = true;
    // Gracefully: what was written is read by the client.
    client.end();
    server.end();
  };
  server.on("data", (bytes: Buffer) => {
    if (link.deaf) return;
    if (mangle !== null && !answerLost) {
      for (const whole of fromServer(bytes)) if (!ended) passOn(whole);
      return;
    }
    if (!answerLost) {
      client.write(bytes);
      return;
    }
    // ReadyForQuery: the server is done with it.
    if (fromServer(bytes).some((whole) => whole[0] === 0x5a)) close();
  });
}

/** Cuts a stream of bytes into messages: a length of four bytes, behind a letter except in the first one. */
function messages(hasLetter: () => boolean): (bytes: Buffer) => Buffer[] {
  let rest = Buffer.alloc(0);
  let first = true;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const whole: Buffer[] = [];
    for (;;) {
      const letter = first && !hasLetter() ? 0 : 1;
      if (rest.length < letter + 4) return whole;
      const length = letter + rest.readInt32BE(letter);
      if (rest.length < length) return whole;
      whole.push(rest.subarray(0, length));
      rest = rest.subarray(length);
      first = false;
    }
  };
}

function described(whole: Buffer, started: boolean, connection: number): FrontendMessage {
  return started
    ? { type: String.fromCharCode(whole[0] ?? 0), text: whole.subarray(5).toString("utf8"), connection }
    : { type: "startup", text: whole.subarray(8).toString("utf8"), connection };
}

function query(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.alloc(5);
  head.write("Q");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
