import { ReaderGone, type Terminal } from "../../src/cli/terminal.ts";
import type { Work } from "../../src/cli/verb.ts";

export const DATABASE = { DATABASE_URL: "postgresql://metrics:canary@db:5432/damascus" };

/** A terminal of so many columns, or a pipe, that keeps what is written to it. */
export function fakeTerminal(
  some: {
    readonly columns?: number | null;
    readonly errColumns?: number | null;
    readonly rows?: number;
    readonly interruption?: AbortSignal;
    readonly env?: NodeJS.ProcessEnv;
    readonly readerGone?: boolean;
  } = {},
) {
  const written = { out: "", err: "" };
  const terminal: Terminal = {
    out: async (text) => {
      if (some.readerGone === true) throw new ReaderGone();
      written.out += text;
    },
    err: async (text) => {
      written.err += text;
    },
    columns: () => some.columns ?? null,
    errColumns: () => some.errColumns ?? null,
    rows: () => some.rows ?? null,
    interruption: () => some.interruption ?? new AbortController().signal,
    env: some.env ?? DATABASE,
  };
  return { terminal, written };
}

/** For command lines that contact nothing. */
export const NOTHING: Work = {
  run: () => Promise.reject(new Error("contacted")),
  readSnapshot: () => Promise.reject(new Error("contacted")),
  readHistory: () => Promise.reject(new Error("contacted")),
  readExplanations: () => Promise.reject(new Error("contacted")),
  readSimulation: () => Promise.reject(new Error("contacted")),
  readVerification: () => Promise.reject(new Error("contacted")),
};
