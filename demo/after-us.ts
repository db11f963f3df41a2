/** What is to happen when this process is gone, however it went. */
import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import type { Writable } from "node:stream";

/**
 * A shell whose standard input is a pipe held by this process alone: the end of the pipe is the end of this process,
 * even by SIGKILL, where an exit handler would not run.
 */
export function afterUs(script: string, ...args: string[]): ChildProcess & { readonly stdin: Writable } {
  const shell = spawn("/bin/sh", ["-c", script, ...args], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.on("error", () => {});
  shell.stdin.on("error", () => {});
  shell.unref();
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  return shell;
}
