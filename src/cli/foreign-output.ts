/**
 * What Node and libraries say by themselves while the daemon runs, as facts for its log: warnings, and whatever they print
 * on standard error (under NODE_DEBUG, say). There it would stand as prose among JSON.
 */
import type { Report } from "../events/daemon-event.ts";

const LONGEST = 500;

/** @returns what to call when the daemon has ended. */
export function reportForeignOutput(report: Report): () => void {
  const onWarning = (warning: Error): void => tell(warning.name, warning.message);
  let isTelling = false;
  const tell = (name: string, message: string): void => {
    // What the log itself sets off.
    if (isTelling || message.trim() === "") return;
    isTelling = true;
    try {
      report({ event: "process.warning", name, message: message.trim().slice(0, LONGEST) });
    } finally {
      isTelling = false;
    }
  };
  process.on("warning", onWarning);
  const { stderr } = process;
  const isFree = !stderr.isTTY;
  const write = stderr.write.bind(stderr);
  if (isFree)
    stderr.write = (text: string | Uint8Array, ...more: unknown[]): boolean => {
      tell("stderr", typeof text === "string" ? text : Buffer.from(text).toString("utf8"));
      for (const done of more) if (typeof done === "function") process.nextTick(() => void done());
      return true;
    };
  return () => {
    process.off("warning", onWarning);
    if (isFree) stderr.write = write;
  };
}
