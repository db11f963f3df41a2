/** A failure whose message is written for people, in one line or several, with the exit code that it means. */
export class Failed extends Error {
  /** 1 unexpected, 2 usage or configuration, 3 the database. */
  readonly exitCode: 1 | 2 | 3;

  constructor(exitCode: 1 | 2 | 3, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
