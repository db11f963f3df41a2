/**
 * The protocol connection inside a client of `pg`, guarded: whatever a server, a pooler or a broken network sends costs a
 * lost connection at most.
 */
import type { Duplex } from "node:stream";
import pg from "pg";
import { BackendMessages, ProtocolViolation } from "./backend-messages.ts";

declare module "pg" {
  interface ClientConfig {
    /** The protocol connection that the client uses, made by another client of the same configuration. */
    connection?: pg.Connection;
    /** Refuse a login that is not bound to the TLS channel: libpq's channel_binding=require. */
    requireChannelBinding?: boolean;
  }
  interface Connection {
    /** Gives what comes from the stream to the parser, and the parser's messages to the client. */
    attachListeners: (stream: Duplex) => void;
    sendSASLInitialResponseMessage: (mechanism: string, response: string) => void;
  }
}

const BOUND_MECHANISM = "SCRAM-SHA-256-PLUS";
/** Events of the other ways to log in; at the last one the server asked for nothing. */
const UNBOUND: ReadonlySet<string | symbol> = new Set([
  "authenticationCleartextPassword",
  "authenticationMD5Password",
  "readyForQuery",
]);

class NotBound extends Error {
  readonly code = "NO_CHANNEL_BINDING";

  constructor() {
    super("the server does not bind the login to the TLS channel, which channel_binding=require demands");
  }
}

/** The value for `connection` of a client's configuration. */
export function innerConnection(config: pg.ClientConfig): pg.Connection {
  const { connection } = new pg.Client(config);
  const attachListeners = connection.attachListeners.bind(connection);
  const emit = connection.emit.bind(connection);
  const respond = connection.sendSASLInitialResponseMessage.bind(connection);
  let isBound = config.requireChannelBinding !== true;
  const guarded = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      const isKnown = error instanceof ProtocolViolation || error instanceof NotBound;
      connection.stream.destroy(
        isKnown ? error : new ProtocolViolation("an unexpected message", { cause: error }),
      );
    }
  };
  connection.attachListeners = (stream) => {
    attachListeners(stream);
    // The parser's listener: nothing catches what it throws.
    const parse = stream.listeners("data").at(-1);
    if (parse === undefined) throw new Error("the driver no longer reads in the way that is guarded here");
    stream.removeAllListeners("data");
    const messages = new BackendMessages();
    stream.on("data", (chunk: Buffer) =>
      guarded(() => {
        const whole = messages.take(chunk);
        if (whole !== null) parse.call(stream, whole);
      }),
    );
  };
  connection.sendSASLInitialResponseMessage = (mechanism, response) => {
    isBound ||= mechanism === BOUND_MECHANISM;
    if (!isBound) throw new NotBound();
    respond(mechanism, response);
  };
  // Messages in an unexpected order make the client throw, or report errors to which nothing listens any more.
  connection.emit = (event: string | symbol, ...values: unknown[]) => {
    let isHandled = true;
    guarded(() => {
      if (!isBound && UNBOUND.has(event)) throw new NotBound();
      isHandled = emit(event, ...values);
    });
    return isHandled;
  };
  return connection;
}
