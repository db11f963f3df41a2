/** What can be said of the image and the services without an engine; `npm run test:compose` looks at them running. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { VERSION } from "../src/version.ts";
import { findProgram, runProgram } from "./support/programs.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const docker = findProgram("docker");

function read(file: string): string {
  return readFileSync(`${ROOT}${file}`, "utf8");
}

/** The services as compose understands them; null where it is not installed. No engine is needed. */
function services(...args: readonly string[]): Record<string, Record<string, unknown>> | null {
  if (docker === null) return null;
  const ran = runProgram(docker, ["compose", "--profile", "*", ...args, "config", "--format", "json"]);
  if (/is not a docker command|unknown/.test(ran.stderr)) return null;
  if (ran.status !== 0) throw new Error(ran.stderr);
  return (JSON.parse(ran.stdout) as { services: Record<string, Record<string, unknown>> }).services;
}

describe("the image", () => {
  const dockerfile = read("Dockerfile");

  test("is built from one plain base, whatever frontend there is", () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)(?: AS (\S+))?$/gm)];
    const stages = bases.map(([, , stage]) => stage);
    const foreign = bases.map(([, base]) => base).filter((base) => !stages.includes(base));
    expect(new Set(foreign)).toStrictEqual(new Set(["node:24-bookworm-slim"]));
    expect(dockerfile).not.toMatch(/^# *syntax|@sha256:/m);
  });

  test("has the bundle instead of sources and libraries, no privileges, and starts without a shell", () => {
    const daemon = /^FROM \S+ AS daemon$[^]*?^FROM/m.exec(dockerfile)?.[0];
    expect(daemon?.match(/(?<=^COPY ).*/gm)).toStrictEqual([
      "package.json ./",
      "config config",
      "bin bin",
      "--from=build /app/dist dist",
    ]);
    expect(daemon?.match(/^USER .*/gm)).toStrictEqual(["USER node"]);
    expect(dockerfile).toMatch(/^ENTRYPOINT \["metrics"\]\nCMD \["run"\]$/m);
    expect(dockerfile).toMatch(/^HEALTHCHECK .* CMD \["metrics", "health"\]$/m);
    expect(dockerfile).toContain(`org.opencontainers.image.version="${VERSION}"`);
  });

  test("is made of nothing but what is named: no secret, no history", () => {
    const [first, ...named] = read(".dockerignore")
      .split("\n")
      .filter((line) => !/^(#|$)/.test(line));
    expect(first).toBe("*");
    expect(named.filter((line) => line.startsWith("!")).toSorted()).toStrictEqual(
      [
        "!.npmrc",
        "!bin",
        "!build",
        "!config",
        "!demo",
        "!package-lock.json",
        "!package.json",
        "!src",
      ].toSorted(),
    );
    expect(named).toContain("config/compose");
  });
});

describe("the services", () => {
  const LOCKED = {
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    init: true,
    pids_limit: 128,
  };

  test("ship no real secret", () => {
    for (const name of ["database_owner", "metrics", "grafana_admin"])
      expect(read(`config/compose/example-secrets/${name}_password`)).toMatch(/^example-\w+-not-a-secret\n$/);
  });

  test("lock the daemon down, publish nothing of it, and hand it its password as a file", (context) => {
    const all = services();
    if (all === null) return context.skip("docker compose is not installed");
    for (const name of ["metrics", "page", "orchestrator"]) expect(all[name]).toMatchObject(LOCKED);
    expect(all["metrics"]).not.toHaveProperty("ports");
    expect(all["metrics"]).toMatchObject({
      environment: { PGPASSWORD_FILE: "/run/secrets/metrics_password" },
      stop_grace_period: "10s",
      restart: "unless-stopped",
    });
  });

  test("publish the status page to this machine alone, by a profile, on a port that a variable names", (context) => {
    const published = (port: string): unknown => {
      vi.stubEnv("METRICS_PAGE_PORT", port);
      const all = services();
      vi.unstubAllEnvs();
      return all?.["page"]?.["ports"];
    };
    const ports = published("");
    if (ports === undefined) return context.skip("docker compose is not installed");
    const place = { host_ip: "127.0.0.1", target: 9464, protocol: "tcp" };
    expect(ports).toMatchObject([{ ...place, published: "9464" }]);
    expect(published("9000")).toMatchObject([{ ...place, published: "9000" }]);
    const { profiles, ports: _, ...page } = services()?.["page"] ?? {};
    expect(profiles).toStrictEqual(["page"]);
    expect(page).toStrictEqual(services()?.["metrics"]);
  });

  test("are what docs/compose.md shows for an orchestrator's own file", (context) => {
    const [snippet] = /(?<=^```yaml\n)services:[^]*?(?=^```$)/m.exec(read("docs/compose.md")) ?? [];
    if (docker === null) return context.skip("docker is not installed");
    const { stdout, status, stderr } = runProgram(
      docker,
      ["compose", "--project-name", "joined", "--file", "-", "config", "--format", "json"],
      snippet,
    );
    if (/is not a docker command|unknown/.test(stderr))
      return context.skip("docker compose is not installed");
    expect([stderr, status]).toStrictEqual(["", 0]);
    const joined = JSON.parse(stdout) as { services: Record<string, unknown> };
    expect(joined.services["metrics"]).toMatchObject(LOCKED);
  });
});
