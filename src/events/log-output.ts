/**
 * Standard output for log lines. Lines are written at once, so that the last line of a dying process arrives, and writing
 * never kills the process: a closed reader, a full disk and a full pipe cost lines, not the daemon.
 */
import { writeSync } from "node:fs";

/** As `fs.writeSync`: how many bytes were taken. */
export type WriteBytes = (fd: number, bytes: Uint8Array) => number;

/** How often and how long to wait for a full pipe. The loop blocks meanwhile, so not for long. */
const PATIENCE = { tries: 5, waitMs: 10 };

export class LogOutput {
  readonly #fd: number;
  readonly #write: WriteBytes;
  /** Part of a line was written before it failed: the next one begins on a line of its own. */
  #broken = false;
  /** The last line was lost: the next one is tried once, without waiting. */
  #losing = false;

  constructor(fd: number, write: WriteBytes = writeSync) {
    this.#fd = fd;
    this.#write = write;
  }

  write(line: string): void {
    const bytes = Buffer.from(this.#broken ? `\n${line}` : line);
    let done = 0;
    let tries = this.#losing ? PATIENCE.tries : 0;
    while (done < bytes.length) {
      try {
        done += this.#write(this.#fd, bytes.subarray(done));
      } catch (error) {
        tries += 1;
        if (!isFull(error) || tries > PATIENCE.tries) break;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PATIENCE.waitMs);
      }
    }
    this.#losing = done < bytes.length;
    if (done > 0) this.#broken = this.#losing;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EAGAIN" || error.code === "EBUSY");
}
