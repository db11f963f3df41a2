/** The services of compose.yaml under a project name and with secrets of their own, so that nothing else is touched. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Snapshot } from "../../src/core/snapshot.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COMMAND_TIMEOUT_MS = 120_000;
const BUILD_TIMEOUT_MS = 280_000;
const IMAGES = ["node:24-bookworm-slim", "postgres:18"];
const SECRETS = ["database_owner_password", "metrics_password", "grafana_admin_password"];

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** What `docker inspect` says of a container, as far as it is looked at here. */
export type Inspected = {
  readonly Id: string;
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly Health?: { readonly Status: string };
  };
  readonly Config: { readonly User: string; readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly CapDrop: readonly string[];
    readonly SecurityOpt: readonly string[];
    readonly Init: boolean;
    readonly PidsLimit: number;
    readonly Memory: number;
    readonly NanoCpus: number;
    readonly PortBindings: Readonly<Record<string, unknown>>;
  };
};

const run = promisify(execFile);

async function docker(
  args: readonly string[],
  env = process.env,
  timeout = COMMAND_TIMEOUT_MS,
): Promise<Ran> {
  try {
    const { stdout, stderr } = await run("docker", args, {
      cwd: ROOT,
      env,
      timeout,
      maxBuffer: 64 * 1024 * 1024,
    });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== "number")
      throw new Error(`docker ${args.join(" ")} did not end: ${stderr}`, { cause: error });
    return { code, out: stdout, err: stderr };
  }
}

/** Null where the services can be run here, else why not. */
export async function whyNot(): Promise<string | null> {
  try {
    if ((await docker(["compose", "version"], process.env, 10_000)).code !== 0)
      return "docker has no compose here";
    if ((await docker(["info"], process.env, 10_000)).code !== 0) return "no Docker engine answers";
    const missing = await Promise.all(IMAGES.map(cannotObtain));
    const image = missing.find((each) => each !== null);
    return image === undefined ? null : `the image ${image} cannot be obtained`;
  } catch {
    return "there is no docker command";
  }
}

async function cannotObtain(image: string): Promise<string | null> {
  if ((await docker(["image", "inspect", image])).code === 0) return null;
  return (await docker(["pull", "--quiet", image])).code === 0 ? null : image;
}

export class Stack implements AsyncDisposable {
  readonly project = `damascus-metrics-test-${randomBytes(3).toString("hex")}`;
  readonly passwords = SECRETS.map(() => randomBytes(12).toString("hex"));
  readonly #folder = mkdtempSync(join(tmpdir(), "damascus-metrics-"));
  readonly #env: NodeJS.ProcessEnv;

  constructor() {
    const secrets = join(this.#folder, "secrets");
    mkdirSync(secrets, { mode: 0o700 });
    for (const [index, name] of SECRETS.entries())
      writeFileSync(join(secrets, name), `${this.passwords[index]}\n`, { mode: 0o644 });
    this.#env = { ...process.env, SECRETS_DIR: secrets, METRICS_LOG_LEVEL: "info" };
  }

  /** `docker compose …`, whatever comes of it. */
  try(...args: readonly string[]): Promise<Ran> {
    const timeout =
      args.includes("--build") || args.includes("build") ? BUILD_TIMEOUT_MS : COMMAND_TIMEOUT_MS;
    return docker(
      ["compose", "--project-name", this.project, "--progress", "quiet", ...args],
      this.#env,
      timeout,
    );
  }

  /** `docker compose …`, and its standard output. Throws when it fails. */
  async compose(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.try(...args);
    if (code !== 0) throw new Error(`docker compose ${args.join(" ")} ended with ${code}\n${out}${err}`);
    return out;
  }

  async docker(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await docker(args);
    if (code !== 0) throw new Error(`docker ${args.join(" ")} ended with ${code}\n${out}${err}`);
    return out;
  }

  /** A command in a service's first container. */
  exec(service: string, ...command: readonly string[]): Promise<Ran> {
    return this.try("exec", "-T", service, ...command);
  }

  /** Statements as the tables' owner; the rows' fields are divided by |. Throws when one fails. */
  async sql(statements: string): Promise<string[]> {
    const psql = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "damascus", "-c", statements];
    const { code, out, err } = await this.exec("db", ...psql);
    if (code !== 0) throw new Error(`psql ended with ${code}\n${err}`);
    return out.split("\n").filter((line) => line !== "");
  }

  async snapshot(): Promise<Snapshot> {
    return JSON.parse(await this.compose("exec", "-T", "metrics", "snapshot", "--json")) as Snapshot;
  }

  async containers(service: string): Promise<Inspected[]> {
    const ids = (await this.compose("ps", "--all", "--quiet", service)).split("\n").filter((id) => id !== "");
    return JSON.parse(await this.docker("inspect", ...ids)) as Inspected[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.compose(
      "--profile",
      "*",
      "down",
      "--volumes",
      "--remove-orphans",
      "--rmi",
      "local",
      "--timeout",
      "5",
    );
    rmSync(this.#folder, { recursive: true });
  }
}
