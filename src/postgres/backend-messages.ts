/**
 * What a server may say, checked before the driver reads it. The driver's parser trusts the bytes: some make it throw
 * inside the socket's event handler, where nothing catches; an ErrorResponse without its end makes it loop; and a length
 * of gigabytes makes it collect. Such bytes are real: a server that dies inside a row, and a pooler that puts its own
 * ErrorResponse into the rest of it.
 *
 * Checked is that each message is of a known kind, no longer than any of ours, and that its fields fill it exactly, as in
 * "Message Formats" of PostgreSQL's protocol documentation. What its values say is not: TCP and TLS answer for that.
 */

/** The bytes on a connection are not PostgreSQL's protocol. */
export class ProtocolViolation extends Error {
  readonly code = "PROTOCOL_VIOLATION";

  constructor(what: string, options?: ErrorOptions) {
    super(`not PostgreSQL's protocol: ${what}`, options);
    this.name = "ProtocolViolation";
  }
}

/** Larger than the largest value that is ever asked for, a checkpoint of 64 MiB written as text. */
const LARGEST_MESSAGE = 268_435_456;
const LETTER_AND_LENGTH = 5;

/** Collects the bytes of a connection into whole messages. */
export class BackendMessages {
  #kept: Buffer[] = [];
  #size = 0;
  /** So many bytes are needed before there is anything new to see. */
  #wanted = LETTER_AND_LENGTH;

  /** @returns the messages that are whole now, one behind the other; null where none is. @throws ProtocolViolation */
  take(chunk: Buffer): Buffer | null {
    this.#kept.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return null;
    const bytes = this.#kept.length === 1 ? chunk : Buffer.concat(this.#kept, this.#size);
    let at = 0;
    for (;;) {
      this.#wanted = LETTER_AND_LENGTH;
      if (bytes.length - at < LETTER_AND_LENGTH) break;
      const length = bytes.readInt32BE(at + 1);
      const shape = SHAPES.get(bytes[at] ?? 0);
      if (shape === undefined) throw new ProtocolViolation(`a message of the unknown kind ${bytes[at]}`);
      if (length < 4 || length > LARGEST_MESSAGE) throw new ProtocolViolation(`a message of ${length} bytes`);
      this.#wanted = 1 + length;
      if (bytes.length - at < this.#wanted) break;
      const body = new Body(bytes, at + LETTER_AND_LENGTH, at + this.#wanted);
      shape(body);
      body.end();
      at += this.#wanted;
    }
    this.#size = bytes.length - at;
    this.#kept = this.#size > 0 ? [bytes.subarray(at)] : [];
    return at > 0 ? bytes.subarray(0, at) : null;
  }
}

/** One message's, read field by field. */
class Body {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  skip(bytes: number): void {
    this.#at += bytes;
    if (bytes < 0 || this.#at > this.#end)
      throw new ProtocolViolation("a message that is shorter than its fields");
  }

  byte(): number {
    this.skip(1);
    return this.#bytes[this.#at - 1] ?? 0;
  }

  count(): number {
    this.skip(2);
    return this.#bytes.readUInt16BE(this.#at - 2);
  }

  integer(): number {
    this.skip(4);
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  text(): void {
    const zero = this.#bytes.indexOf(0, this.#at);
    if (zero < 0 || zero >= this.#end) throw new ProtocolViolation("a text without an end");
    this.#at = zero + 1;
  }

  rest(): void {
    this.#at = this.#end;
  }

  end(): void {
    if (this.#at !== this.#end) throw new ProtocolViolation("a message that is longer than its fields");
  }
}

type Shape = (body: Body) => void;

const empty: Shape = () => undefined;
const whatever: Shape = (body) => body.rest();
const texts =
  (count: number): Shape =>
  (body) => {
    for (let index = 0; index < count; index += 1) body.text();
  };
/** An error or a notice: letters, each with a text, and a zero. */
const fields: Shape = (body) => {
  while (body.byte() !== 0) body.text();
};
const copying: Shape = (body) => {
  body.skip(1);
  body.skip(2 * body.count());
};
/** Bytes between a column's name and its format: table, place, type, size, modifier. */
const COLUMN = 16;
const TEXT_FORMAT = 0;

const SHAPES: ReadonlyMap<number, Shape> = new Map(
  Object.entries({
    R: (body) => {
      body.integer();
      body.rest();
    },
    K: whatever,
    S: texts(2),
    Z: (body) => {
      if (!"ITE".includes(String.fromCharCode(body.byte()))) throw new ProtocolViolation("an unknown state");
    },
    T: (body) => {
      for (let columns = body.count(); columns > 0; columns -= 1) {
        body.text();
        body.skip(COLUMN);
        if (body.count() !== TEXT_FORMAT)
          throw new ProtocolViolation("a column in a format that was not asked for");
      }
    },
    D: (body) => {
      for (let values = body.count(); values > 0; values -= 1) {
        const length = body.integer();
        // -1 stands for NULL.
        if (length !== -1) body.skip(length);
      }
    },
    C: texts(1),
    E: fields,
    N: fields,
    A: (body) => {
      body.integer();
      texts(2)(body);
    },
    t: (body) => body.skip(4 * body.count()),
    G: copying,
    H: copying,
    d: whatever,
    c: empty,
    n: empty,
    s: empty,
    I: empty,
    1: empty,
    2: empty,
    3: empty,
  } satisfies Record<string, Shape>).map(([letter, shape]) => [letter.charCodeAt(0), shape]),
);
