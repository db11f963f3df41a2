/** The systemd unit, as far as systemd's own tools judge it without running it. */
import { mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, type TestContext, test } from "vitest";
import { findProgram, runProgram } from "./support/programs.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const NAME = "damascus-metrics.service";
const unit = readFileSync(`${ROOT}config/systemd/${NAME}`, "utf8");
/** Tenths of ten: systemd calls 1.3 "OK" and an ordinary service, at 9.6, "UNSAFE". */
const MOST_EXPOSED = 15;

/** What `systemd-analyze` says about this unit, with this checkout in the place of the installation. */
function analyze(
  ctx: TestContext,
  ...args: readonly string[]
): { status: number | null; warnings: string[] } {
  const analyzer =
    findProgram("systemd-analyze") ?? ctx.skip("systemd-analyze is not installed (Debian: systemd)");
  using folder = mkdtempDisposableSync(join(tmpdir(), "unit-"));
  const file = join(folder.path, NAME);
  writeFileSync(file, unit.replaceAll("/opt/damascus-metrics/", ROOT));
  const { status, stderr } = runProgram(analyzer, [...args, file]);
  // It also warns of the machine's other units.
  return { status, warnings: stderr.split("\n").filter((line) => line.includes(NAME)) };
}

test("holds together: every key is known, and what it starts can be executed", (ctx) => {
  expect(analyze(ctx, "verify")).toStrictEqual({ status: 0, warnings: [] });
});

test("is locked down", (ctx) => {
  const threshold = `--threshold=${MOST_EXPOSED}`;
  expect(analyze(ctx, "security", "--offline=true", "--no-pager", threshold)).toStrictEqual({
    status: 0,
    warnings: [],
  });
});

test("gives the daemon longer to stop than it takes, and does not repeat a start that its configuration ends", () => {
  expect(unit).toMatch(/^TimeoutStopSec=10$/m);
  expect(unit).toMatch(/^RestartPreventExitStatus=2$/m);
});

test("holds no password, and passes none where others can read it", () => {
  expect(unit).toMatch(/^LoadCredential=password:/m);
  expect(unit).not.toMatch(/PGPASSWORD=|postgresql:\/\/[^@\s]+:[^@\s]+@/);
});
