/**
 * Warnings of Node.js and of libraries, and their output on standard error (under NODE_DEBUG, for example), become events of
 * the daemon's log: a stream of JSON must hold nothing else.
 */
import type { Report } from "../events/daemon-event.ts";

const LONGEST = 500;

/** @returns a function that restores standard error when the daemon has ended. */
export function reportForeignOutput(report: Report): () => void {
  const onWarning = (warning: Error): void => forward(warning.name, warning.message);
  let isReporting = false;
  const forward = (name: string, message: string): void => {
    // The log may cause output itself.
    if (isReporting || message.trim() === "") return;
    isReporting = true;
    try {
      report({ event: "process.warning", name, message: message.trim().slice(0, LONGEST) });
    } finally {
      isReporting = false;
    }
  };
  process.on("warning", onWarning);
  const { stderr } = process;
  const isFree = !stderr.isTTY;
  const write = stderr.write.bind(stderr);
  if (isFree)
    stderr.write = (text: string | Uint8Array, ...more: unknown[]): boolean => {
      forward("stderr", typeof text === "string" ? text : Buffer.from(text).toString("utf8"));
      for (const done of more) if (typeof done === "function") process.nextTick(() => void done());
      return true;
    };
  return () => {
    process.off("warning", onWarning);
    if (isFree) stderr.write = write;
  };
}
