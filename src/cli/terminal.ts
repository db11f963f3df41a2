/** Where a verb writes: results to standard output, sentences to standard error. */
import { styleText } from "node:util";

export type Terminal = {
  /** Resolves when the text is written. @throws ReaderGone when the reader has closed standard output. */
  readonly out: (text: string) => Promise<void>;
  readonly err: (text: string) => Promise<void>;
  /** Columns of standard output; null if it is not a terminal. */
  readonly columns: () => number | null;
  /** The same of standard error. */
  readonly errColumns: () => number | null;
  /** Lines of standard output; null if it is not a terminal. */
  readonly rows: () => number | null;
  /**
   * Aborted by SIGINT or SIGTERM, and by one of these keys if standard input is a terminal. The signals end a command that
   * does not call this.
   */
  readonly interruption: (keys?: readonly string[]) => AbortSignal;
  readonly env: NodeJS.ProcessEnv;
};

/** The reader has closed standard output, as `head -1` does. That is not a failure. */
export class ReaderGone extends Error {}

const USUAL_COLUMNS = 80;
const USUAL_ROWS = 24;

/** The process's own. Its streams open on first use: the daemon writes its log without them. */
export const processTerminal: Terminal = {
  out: async (text) => {
    const failure = await write(process.stdout, text);
    if (failure === null) return;
    throw "code" in failure && failure.code === "EPIPE" ? new ReaderGone() : failure;
  },
  err: async (text) => {
    await write(process.stderr, text);
  },
  columns: () => columnsOf(process.stdout),
  errColumns: () => columnsOf(process.stderr),
  rows: () => (process.stdout.isTTY ? process.stdout.rows || USUAL_ROWS : null),
  interruption: (keys = []) => {
    const interruption = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interruption.abort());
    if (keys.length > 0) abortOnKeys([...keys, CTRL_C, CTRL_D], interruption);
    return interruption.signal;
  },
  env: process.env,
};

/** In raw mode the terminal sends no signal for Ctrl-C. */
const [CTRL_C, CTRL_D] = ["\x03", "\x04"];

/** Listens without keeping the process alive. Node gives the terminal back as it was. */
function abortOnKeys(keys: readonly string[], interruption: AbortController): void {
  const { stdin } = process;
  if (!stdin.isTTY) return;
  const restore = () => {
    stdin.setRawMode(false);
    stdin.pause();
  };
  stdin.setRawMode(true);
  stdin.on("data", (typed: Buffer) => {
    if (keys.some((key) => typed.toString().includes(key))) interruption.abort();
  });
  stdin.unref();
  interruption.signal.addEventListener("abort", restore, { once: true });
}

function columnsOf(stream: NodeJS.WriteStream): number | null {
  return stream.isTTY ? stream.columns || USUAL_COLUMNS : null;
}

function write(stream: NodeJS.WriteStream, text: string): Promise<Error | null> {
  // Without a listener, the error event of a failed write would end the process.
  if (stream.listenerCount("error") === 0) stream.on("error", () => undefined);
  return new Promise((resolve) => {
    stream.write(text, (failure) => resolve(failure ?? null));
  });
}

/** What a drawing may use. */
export type Means = { readonly columns: number; readonly ascii: boolean; readonly colour: boolean };

/** What the flags request and this terminal allows. A pipe counts as a terminal of 80 columns without colours. */
export function meansOf(
  terminal: Terminal,
  { ascii = false, color }: { readonly ascii?: boolean; readonly color: boolean },
): Means {
  return {
    columns: terminal.columns() ?? USUAL_COLUMNS,
    ascii: ascii || terminal.env["TERM"] === "dumb",
    colour: wantsColour(terminal, color),
  };
}

/** Whether colours and cursor codes are welcome. */
export function wantsColour(terminal: Terminal, flag: boolean): boolean {
  const { NO_COLOR: noColour, TERM: term } = terminal.env;
  return flag && terminal.columns() !== null && !noColour && term !== "dumb";
}

/** A colour or weight for a terminal. The words alone say the same. */
export function paint(style: Parameters<typeof styleText>[0], text: string, colour: boolean): string {
  return colour ? styleText(style, text, { validateStream: false }) : text;
}
