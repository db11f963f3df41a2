/** A failure whose message is written for people, one line or several, with the exit code that it means. */
export class Failed extends Error {
  readonly exitCode: 1 | 2 | 3;

  constructor(exitCode: 1 | 2 | 3, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
