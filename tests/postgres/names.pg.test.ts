/** Schemas and channels with capitals, dots, colons and hyphens in their names work everywhere, and are written in quotes. */
import { execFile } from "node:child_process";
import { expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase } from "../support/database.ts";
import { merge } from "../support/orchestrator.ts";

function metrics(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ENTRY, ...args], { env }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

it.each([
  ["Damascus", "phase.transition"],
  ["damascus-v2.works", "Events:Outbox"],
  ["user", "listen"],
  ["a$b", "system_user"],
])(
  "schema %s, channel %s: recorded upon a notification, read, verified; advice that can be followed",
  async (schema, channel) => {
    await using database = await createDatabase();
    const { admin, role } = database;
    await admin.query(`CREATE SCHEMA "${schema}"; GRANT USAGE ON SCHEMA "${schema}" TO ${role};
    ALTER TABLE work_items SET SCHEMA "${schema}"; ALTER TABLE events_outbox SET SCHEMA "${schema}"`);
    const settings = {
      METRICS_SCHEMA: schema,
      METRICS_NOTIFY_CHANNEL: channel,
      METRICS_POLL_INTERVAL: "60m",
    };
    const env = { ...environment(database.daemonUrl), ...settings };
    await using daemon = spawnDaemon(database.daemonUrl, settings);
    await daemon.line("listen.connected");
    await daemon.line("reconciliation.completed");
    const orchestrator = await admin.connect();
    try {
      await orchestrator.query(`SET search_path = "${schema}"`);
      const { eventId } = await merge(orchestrator);
      await orchestrator.query("SELECT pg_notify($1, '')", [channel]);
      await daemon.line("merge.recorded", (line) => line["event_id"] === eventId);
    } finally {
      orchestrator.release(true);
    }
    for (const verb of ["snapshot", "verify"]) expect(await metrics([verb], env)).toMatchObject({ code: 0 });
    expect(await daemon.stop()).toBe(0);

    await admin.query(`REVOKE USAGE ON SCHEMA "${schema}" FROM ${role}`);
    await using unfit = spawnDaemon(database.daemonUrl, settings);
    const fatal = await unfit.line("daemon.fatal");
    expect(await unfit.exit).toBe(3);
    const [, statement = ""] =
      /: (GRANT USAGE ON SCHEMA .+)$/.exec((fatal["problems"] as string[])[0] ?? "") ?? [];
    await admin.query(statement);
    expect(await metrics(["snapshot"], env)).toMatchObject({ code: 0 });
  },
);
