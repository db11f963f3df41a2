/** A Prometheus of the system's own, for as long as a test uses it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterUs } from "../../demo/after-us.ts";
import { freePort } from "../../demo/free-port.ts";
import { until } from "../support/until.ts";

export type Labels = Readonly<Record<string, string>>;
export type Sample = { readonly metric: Labels; readonly value: readonly [number, string] };
export type Series = { readonly metric: Labels; readonly values: readonly (readonly [number, string])[] };

export interface RealPrometheus extends AsyncDisposable {
  /** An instant query, now. Throws where Prometheus refuses it. */
  query(expr: string): Promise<readonly Sample[]>;
  /** As a dashboard asks: from, to and step in seconds. */
  range(expr: string, from: number, to: number, step: number): Promise<readonly Series[]>;
}

/** @param config its configuration file; JSON is YAML. */
export async function startPrometheus(program: string, config: object): Promise<RealPrometheus> {
  const folder = await mkdtempDisposable(join(tmpdir(), "prometheus-"));
  const file = join(folder.path, "prometheus.json");
  await writeFile(file, JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    program,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder.path, "data")}`,
      `--web.listen-address=${address}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const guard = afterUs('read -r _; kill -KILL "$0" 2>/dev/null', String(child.pid));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-4_000)));
  const ended = once(child, "close");

  async function get<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const response = await fetch(
      `http://${address}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`,
    );
    const answer = (await response.json()) as { status: string; error?: string; data: { result: T } };
    if (answer.status !== "success") throw new Error(`${parameters["query"]}: ${answer.error}`);
    return answer.data.result;
  }

  await until("Prometheus is ready", async () => {
    if (child.exitCode !== null) throw new Error(`Prometheus ended with ${child.exitCode}\n${log}`);
    return fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  return {
    query: (expr) => get("query", { query: expr }),
    range: (expr, from, to, step) =>
      get("query_range", { query: expr, start: String(from), end: String(to), step: String(step) }),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
      guard.kill("SIGKILL");
      await folder.remove();
    },
  };
}
