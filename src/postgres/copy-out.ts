/** COPY … TO STDOUT as a query of `pg`, which has none of its own: each piece is taken as it comes. */
import type pg from "pg";
import { ProtocolViolation } from "./backend-messages.ts";

export class CopyOutQuery {
  readonly #statement: string;
  readonly #take: (chunk: Buffer) => void;
  readonly #ended = Promise.withResolvers<void>();
  #rows = 0;
  #complete = false;
  /** The client puts its own in the place of this: called, it ends its wait for an answer. */
  callback: () => void = () => undefined;

  constructor(statement: string, take: (chunk: Buffer) => void) {
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

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    this.#rows += 1;
    this.#take(chunk);
  }

  /** "Messages sent from the backend will always correspond to single data rows", says the protocol of CopyData. */
  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#complete = text === `COPY ${this.#rows}`;
  }

  handleReadyForQuery(): void {
    this.callback();
    if (this.#complete) this.#ended.resolve();
    else this.#ended.reject(new ProtocolViolation("a COPY that is not whole"));
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
  throw new ProtocolViolation("something else than COPY was answered");
}
