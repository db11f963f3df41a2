/**
 * The bytes of a server, checked before the driver reads them. On bytes that are not the protocol, its parser throws where nothing
 * catches, loops, or collects gigabytes. Such bytes occur: a server dies in the middle of a row, and a pooler writes its own
 * ErrorResponse where the rest of the row would be.
 *
 * Each message must be of a known kind, no longer than any message that we ask for, and filled exactly by its fields ("Message
 * Formats" of PostgreSQL's documentation). The content of values is not checked; TCP and TLS protect that.
 */

/** The bytes on a connection are not PostgreSQL's protocol. */
export class ProtocolViolation extends Error {
  readonly code = "PROTOCOL_VIOLATION";

  constructor(what: string, options?: ErrorOptions) {
    super(`not PostgreSQL's protocol: ${what}`, options);
    this.name = "ProtocolViolation";
  }
}

/** Bytes. Larger than the largest value that is requested: a checkpoint of 64 MiB, as text. */
const LARGEST_MESSAGE = 268_435_456;
/** Bytes before a message's body: its kind, and its length with the length field included. */
const HEADER = 5;

/** Collects the bytes of a connection into whole messages. */
export class BackendMessages {
  #kept: Buffer[] = [];
  #size = 0;
  /** The number of bytes without which no further message can be complete. */
  #wanted = HEADER;

  /** @returns the messages that are complete now, one after the other, or null. @throws ProtocolViolation */
  take(chunk: Buffer): Buffer | null {
    this.#kept.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return null;
    const bytes = this.#kept.length === 1 ? chunk : Buffer.concat(this.#kept, this.#size);
    let at = 0;
    for (;;) {
      this.#wanted = HEADER;
      if (bytes.length - at < HEADER) break;
      const length = bytes.readInt32BE(at + 1);
      const shape = SHAPES[String.fromCharCode(bytes[at] ?? 0)];
      if (shape === undefined) throw new ProtocolViolation(`a message of the unknown kind ${bytes[at]}`);
      if (length < 4 || length > LARGEST_MESSAGE) throw new ProtocolViolation(`a message of ${length} bytes`);
      this.#wanted = 1 + length;
      if (bytes.length - at < this.#wanted) break;
      const body = new Body(bytes, at + HEADER, at + this.#wanted);
      shape(body);
      body.end();
      at += this.#wanted;
    }
    this.#size = bytes.length - at;
    this.#kept = this.#size > 0 ? [bytes.subarray(at)] : [];
    return at > 0 ? bytes.subarray(0, at) : null;
  }
}

/** The body of one message, read field by field. */
class Body {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** @returns where the skipped bytes begin. */
  skip(bytes: number): number {
    const start = this.#at;
    this.#at += bytes;
    if (bytes < 0 || this.#at > this.#end) throw new ProtocolViolation("a message shorter than its fields");
    return start;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.skip(1));
  }

  count(): number {
    return this.#bytes.readUInt16BE(this.skip(2));
  }

  integer(): number {
    return this.#bytes.readInt32BE(this.skip(4));
  }

  texts(count: number): void {
    for (let index = 0; index < count; index += 1) {
      const zero = this.#bytes.indexOf(0, this.#at);
      if (zero < 0 || zero >= this.#end) throw new ProtocolViolation("a text without an end");
      this.#at = zero + 1;
    }
  }

  rest(): void {
    this.#at = this.#end;
  }

  end(): void {
    if (this.#at !== this.#end) throw new ProtocolViolation("a message longer than its fields");
  }
}

type Shape = (body: Body) => void;

const empty: Shape = () => undefined;
const anything: Shape = (body) => body.rest();
/** An error or a notice: letters, each with a text, then a zero. */
const fields: Shape = (body) => {
  while (body.byte() !== 0) body.texts(1);
};
const copying: Shape = (body) => {
  body.skip(1);
  body.skip(2 * body.count());
};
/** Bytes between a column's name and its format: table, place, type, size, modifier. */
const COLUMN = 16;
const TEXT_FORMAT = 0;

const SHAPES: Readonly<Record<string, Shape>> = {
  R: (body) => {
    body.integer();
    body.rest();
  },
  K: anything,
  S: (body) => body.texts(2),
  Z: (body) => {
    if (!"ITE".includes(String.fromCharCode(body.byte()))) throw new ProtocolViolation("an unknown state");
  },
  T: (body) => {
    for (let columns = body.count(); columns > 0; columns -= 1) {
      body.texts(1);
      body.skip(COLUMN);
      if (body.count() !== TEXT_FORMAT) throw new ProtocolViolation("a column in an unexpected format");
    }
  },
  D: (body) => {
    for (let values = body.count(); values > 0; values -= 1) {
      const length = body.integer();
      // -1 is NULL.
      if (length !== -1) body.skip(length);
    }
  },
  C: (body) => body.texts(1),
  E: fields,
  N: fields,
  A: (body) => {
    body.integer();
    body.texts(2);
  },
  t: (body) => body.skip(4 * body.count()),
  G: copying,
  H: copying,
  d: anything,
  c: empty,
  n: empty,
  s: empty,
  I: empty,
  1: empty,
  2: empty,
  3: empty,
};
