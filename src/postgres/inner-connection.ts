/**
 * What a client of `pg` speaks through, guarded: whatever a server, a pooler or a broken network sends is a lost
 * connection at most. Made apart from the client, for a library that makes its own one and keeps it to itself.
 */
import type { Duplex } from "node:stream";
import pg from "pg";
import { BackendMessages, ProtocolViolation } from "./backend-messages.ts";

declare module "pg" {
  interface ClientConfig {
    /** What the client is to speak through, made by another one of the same configuration. */
    connection?: pg.Connection;
    /** A login that is not bound to the TLS channel is refused: libpq's channel_binding=require. */
    requireChannelBinding?: boolean;
  }
  interface Connection {
    /** Gives what comes from the stream to the parser, and its messages to the client. */
    attachListeners: (stream: Duplex) => void;
    sendSASLInitialResponseMessage: (mechanism: string, response: string) => void;
  }
}

const BOUND_MECHANISM = "SCRAM-SHA-256-PLUS";
/** Other ways to log in, the last one without being asked for anything. */
const UNBOUND: ReadonlySet<string | symbol> = new Set([
  "authenticationCleartextPassword",
  "authenticationMD5Password",
  "readyForQuery",
]);

class NotBound extends Error {
  readonly code = "NO_CHANNEL_BINDING";

  constructor() {
    super("the server does not bind the login to the TLS channel, which channel_binding=require asks for");
  }
}

/** For `connection` of a client's configuration. */
export function innerConnection(config: pg.ClientConfig): pg.Connection {
  const { connection } = new pg.Client(config);
  const attachListeners = connection.attachListeners.bind(connection);
  const emit = connection.emit.bind(connection);
  const lose = (error: unknown): void => {
    connection.stream.destroy(
      error instanceof ProtocolViolation || error instanceof NotBound
        ? error
        : new ProtocolViolation("an unexpected message", { cause: error }),
    );
  };
  connection.attachListeners = (stream) => {
    attachListeners(stream);
    // The parser's, which nobody catches anything of.
    const parse = stream.listeners("data").at(-1);
    if (parse === undefined) throw new Error("the driver does not read in the way that is guarded");
    stream.removeAllListeners("data");
    const messages = new BackendMessages();
    stream.on("data", (chunk: Buffer) => {
      try {
        const whole = messages.take(chunk);
        if (whole !== null) parse.call(stream, whole);
      } catch (error) {
        lose(error);
      }
    });
  };
  const respond = connection.sendSASLInitialResponseMessage.bind(connection);
  let isBound = config.requireChannelBinding !== true;
  connection.sendSASLInitialResponseMessage = (mechanism, response) => {
    isBound ||= mechanism === BOUND_MECHANISM;
    if (!isBound) throw new NotBound();
    respond(mechanism, response);
  };
  // Messages in an order that the client does not expect: it throws, or reports errors that nobody listens to any more.
  connection.emit = (event: string | symbol, ...values: unknown[]) => {
    try {
      if (!isBound && UNBOUND.has(event)) throw new NotBound();
      return emit(event, ...values);
    } catch (error) {
      lose(error);
      return true;
    }
  };
  return connection;
}
