/** Standard output and standard error hold lines of the log alone, under every variable that Node and libraries read. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { sharedDatabase } from "../support/shared-database.ts";
import { until } from "../support/until.ts";

const database = sharedDatabase();

it.each<[string, Record<string, string>]>([
  ["FORCE_COLOR beside NO_COLOR", { FORCE_COLOR: "1", NO_COLOR: "1" }],
  ["FORCE_COLOR of a terminal that is dumb", { FORCE_COLOR: "3", TERM: "dumb" }],
  ["NODE_PENDING_DEPRECATION", { NODE_PENDING_DEPRECATION: "1" }],
  ["warnings with their traces", { NODE_OPTIONS: "--trace-warnings --trace-deprecation" }],
  ["NODE_TLS_REJECT_UNAUTHORIZED", { NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
  ["NODE_DEBUG", { NODE_DEBUG: "net,http,tls,stream,timer" }],
  ["DEBUG", { DEBUG: "*" }],
  [
    "PGPASSFILE, PGAPPNAME, PGOPTIONS",
    { PGPASSFILE: "/nonexistent", PGAPPNAME: "x", PGOPTIONS: "-c geqo=off" },
  ],
  ["sslmode that node-postgres warns of", { PGSSLMODE: "require" }],
])("%s: each line is JSON", async (_, env) => {
  const child = spawn(process.execPath, [ENTRY, "run"], {
    env: {
      ...environment(database.daemonUrl),
      METRICS_HTTP_PORT: "0",
      METRICS_POLL_INTERVAL: "50ms",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.on("data", (bytes: Buffer) => (said.out += bytes.toString("utf8")));
  child.stderr.on("data", (bytes: Buffer) => (said.err += bytes.toString("utf8")));
  const exit = once(child, "exit");
  try {
    // Of a server without TLS it says so, and that is enough.
    const word = env["PGSSLMODE"] === undefined ? "listen.connected" : "NO_TLS";
    await until("it works", () => said.out.includes(word));
    // Where it connects and where it listens is logged in either order.
    const address = await until("its address", () => /"address":"(http[^"]+)"/.exec(said.out)?.[1]);
    await fetch(`${address}/metrics`);
  } finally {
    child.kill("SIGTERM");
    await exit;
  }
  expect(said.err).toBe("");
  for (const line of said.out.split("\n").slice(0, -1)) expect(JSON.parse(line)).toHaveProperty("event");
});
