/** COPY … TO STDOUT as a query of `pg`, which has none of its own: each row is handed over as it arrives. */
import type pg from "pg";
import { ProtocolViolation } from "./backend-messages.ts";

/** Takes the fields of one row, as text; null for NULL. */
export type TakeFields = (fields: readonly (string | null)[]) => void;

export class CopyOutQuery {
  readonly #statement: string;
  readonly #take: TakeFields;
  readonly #ended = Promise.withResolvers<void>();
  #rows = 0;
  #complete = false;
  /** The client puts its own function here; calling it ends the client's wait for an answer. */
  callback: () => void = () => undefined;

  constructor(statement: string, take: TakeFields) {
    this.#statement = statement;
    this.#take = take;
  }

  /** Resolves when the server has ended the statement, so that the next one may follow. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  submit(connection: pg.Connection): void {
    connection.query(this.#statement);
  }

  /** The protocol: "Messages sent from the backend will always correspond to single data rows". */
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    this.#rows += 1;
    if (chunk.at(-1) !== NEWLINE) throw new ProtocolViolation("a row of COPY without an end");
    this.#take(
      chunk
        .toString("utf8", 0, chunk.length - 1)
        .split("\t")
        .map(textOf),
    );
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#complete = text === `COPY ${this.#rows}`;
  }

  handleReadyForQuery(): void {
    this.callback();
    if (this.#complete) this.#ended.resolve();
    else this.#ended.reject(new ProtocolViolation("an incomplete COPY"));
  }

  handleError(error: unknown): void {
    this.callback();
    this.#ended.reject(error);
  }

  handleRowDescription = unexpected;
  handleDataRow = unexpected;
  handlePortalSuspended = unexpected;
  handleEmptyQuery = unexpected;
  handleCopyInResponse = unexpected;
}

/** @throws ProtocolViolation, which ends the connection. */
function unexpected(): never {
  throw new ProtocolViolation("an answer to something else than COPY");
}

const NEWLINE = 10;
const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** A field of COPY's text format, see "File Formats" in the reference page of COPY; null for NULL. */
export function textOf(field: string): string | null {
  if (field === "\\N") return null;
  return field.includes("\\") ? field.replaceAll(/\\(.)/gs, (_, one: string) => ESCAPES[one] ?? one) : field;
}
