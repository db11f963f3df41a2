/** The demo's folder, `.data/demo`: one demo at a time lives in it, and takes it away when it leaves. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

/** From the project's root. */
const NAME = ".data/demo";
const FOLDER = fileURLToPath(new URL(`../${NAME}`, import.meta.url));
const OWNER = "pid";
const ENVIRONMENT = "env";

export interface Folder extends Disposable {
  /** Where PostgreSQL may put its data. */
  readonly dataDir: string;
  /** Writes variables into a file for `node --env-file`, and returns its name as seen from the project's root. */
  writeEnvironment(variables: Readonly<Record<string, string>>): string;
}

/** Makes the folder anew. Throws when another demo lives in it. */
export function takeFolder(): Folder {
  const other = runningDemo();
  if (other !== null) {
    throw new Error(
      `The demo runs already, as process ${other}: stop it first. If that is another program, remove ${NAME}.`,
    );
  }
  remove();
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, OWNER), String(process.pid), { flag: "wx" });
  return {
    dataDir: join(FOLDER, "postgres"),
    writeEnvironment(variables) {
      const lines = Object.entries(variables).map(([name, value]) => `${name}='${value}'\n`);
      writeFileSync(join(FOLDER, ENVIRONMENT), lines.join(""), { mode: 0o600 });
      return `${NAME}/${ENVIRONMENT}`;
    },
    [Symbol.dispose]: remove,
  };
}

/**
 * A variable that the running demo has written. Throws when no demo runs, or when it has not written any yet.
 */
export function variableOfDemo(name: string): string {
  if (runningDemo() === null) throw new Error("no demo runs. Start one in another terminal: npm run demo");
  try {
    const value = parseEnv(readFileSync(join(FOLDER, ENVIRONMENT), "utf8"))[name];
    if (value !== undefined) return value;
  } catch {
    // No such file.
  }
  throw new Error("the demo is still at its story. Wait until it says that it continues");
}

function runningDemo(): number | null {
  try {
    const pid = Number(readFileSync(join(FOLDER, OWNER), "utf8"));
    return pid > 0 && process.kill(pid, 0) ? pid : null;
  } catch {
    // No such file, or no such process.
    return null;
  }
}

function remove(): void {
  rmSync(FOLDER, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
