/** Secrets in files are read for each connection: rotated without a restart, and a missing one is waited for. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { sendAway } from "../support/backends.ts";
import { type LogLine, spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { merge } from "../support/orchestrator.ts";
import { startServer } from "../support/server.ts";

const failureOf = (line: LogLine) => line["failure"] as { readonly code: string; readonly message: string };

it.each(["PGPASSWORD_FILE", "DATABASE_URL_FILE"])(
  "%s rewritten is taken up with the next connection; missing or empty, it is named and waited for",
  async (variable) => {
    await using server = await startServer({ password: "of the superuser" });
    await using database = await createDatabase({ adminUrl: server.url() });
    const folder = mkdtempSync(join(tmpdir(), "damascus-rotation-"));
    try {
      const file = join(folder, "secret");
      const url = new URL(database.daemonUrl);
      const write = (password: string): void => {
        url.password = password;
        writeFileSync(file, variable === "PGPASSWORD_FILE" ? `${password}\n` : `${url.href}\n`);
      };
      write(url.password);
      const place = new URL(url);
      place.password = "";
      await using daemon =
        variable === "PGPASSWORD_FILE"
          ? spawnDaemon(place.href, { PGPASSWORD_FILE: file })
          : spawnDaemon("", { DATABASE_URL_FILE: file });
      await daemon.line("daemon.ready");

      await database.admin.query(`ALTER ROLE ${database.role} PASSWORD 'another-one'`);
      await sendAway(database);
      await daemon.line("db.connect_failed", (line) => failureOf(line).code === "28P01");
      let mark = daemon.mark();
      write("another-one");
      await daemon.line("restore.completed", undefined, mark);

      mark = daemon.mark();
      rmSync(file);
      await sendAway(database);
      const missing = await daemon.line("db.connect_failed", undefined, mark);
      expect(failureOf(missing)).toMatchObject({
        code: "SETTINGS",
        message: `${variable} is ${JSON.stringify(file)}: the file cannot be read (no such file or folder)`,
      });
      writeFileSync(file, "\n");
      const empty = await daemon.line(
        "db.connect_failed",
        (line) => failureOf(line).message.includes("is empty"),
        mark,
      );
      expect(empty["retry_in_ms"]).toBeGreaterThan(0);
      mark = daemon.mark();
      write("another-one");
      await daemon.line("restore.completed", undefined, mark);
      await merge(database.admin);
      await daemon.line("merge.recorded", undefined, mark);
      expect(await violations(database.admin)).toEqual([]);
      expect(await daemon.stop()).toBe(0);
      expect(daemon.output()).not.toContain("another-one");
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
