/** P4: a history of which nothing is recorded, against a server that copies the same rows from table to table. */
import { interleave, sampleOf, timed } from "../figures.ts";
import { seedUnknown } from "../history.ts";
import { cpuMs, daemonProcess } from "../processes.ts";
import { record } from "../product.ts";
import type { Run } from "../run.ts";
import type { Database } from "../server.ts";
import { verify } from "../verify.ts";

export async function catchUp({ entry, server, repeat, find }: Run, merges: number): Promise<void> {
  const template = `unknown_${merges}`;
  // Once for the rows that are to be written, and to begin with a warm server.
  await using unknown = await server.database(template);
  await seedUnknown(unknown, merges);
  await unknown.release();
  await using done = await server.database("caught_up", template);
  await catchUpOnce(done, merges);
  await verify(done, merges);
  await done.owner.query(`
    CREATE TABLE written AS SELECT id, kind, work_item_id, payload FROM events_outbox
     WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint' ORDER BY id`);
  const { rows } = await done.owner.query<{ highest: string }>(
    "SELECT (min(id) - 1)::text AS highest FROM written",
  );
  const rowsWritten = await done.owner.query("SELECT FROM written");
  const { rows: places } = await done.owner.query<{ file: string }>(
    "SELECT current_setting('data_directory') || '/written.copy' AS file",
  );
  const file = `'${places[0]?.file}'`;
  await done.owner.query(`COPY (SELECT kind, work_item_id, payload FROM written ORDER BY id) TO ${file}`);
  await done.owner.query("DELETE FROM events_outbox WHERE id > $1", [rows[0]?.highest]);
  await done.owner.query("VACUUM FULL events_outbox");
  await done.owner.query("ANALYZE");
  await done.release();

  const inServer = async (statement: string): Promise<number> => {
    await using database = await server.database("work", done.name);
    const { owner } = database;
    await owner.query("CHECKPOINT");
    const took = await timed(() => owner.query(statement));
    const counted = await owner.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM events_outbox WHERE kind LIKE 'metric.%'",
    );
    if (counted.rows[0]?.n !== rowsWritten.rowCount) throw new Error("the server copied other rows");
    return took;
  };
  const cpu = { silent: [] as number[], logged: [] as number[] };
  const ms = await interleave(repeat, {
    product: async () => {
      await using database = await server.database("work", done.name);
      const before = process.cpuUsage();
      const took = await catchUpOnce(database, merges);
      const { user, system } = process.cpuUsage(before);
      cpu.silent.push((user + system) / merges);
      await verify(database, merges, false);
      return took;
    },
    process: async () => {
      await using database = await server.database("work", done.name);
      const { tookMs, cpuUs } = await catchUpProcess(entry, database);
      cpu.logged.push(cpuUs / merges);
      await verify(database, merges, false);
      return tookMs;
    },
    server: () =>
      inServer(
        "INSERT INTO events_outbox (kind, work_item_id, payload) SELECT kind, work_item_id, payload FROM written ORDER BY id",
      ),
    // The same, but the rows come as text, as they must from any program.
    fromText: () => inServer(`COPY events_outbox (kind, work_item_id, payload) FROM ${file}`),
  });
  const perSecond = (times: readonly number[]) => sampleOf(times.map((time) => merges / (time / 1_000)));
  for (const [how, times, floor, bound] of [
    ["", ms.product, ["COPY from a file", ms.fromText], 0.48],
    [" by a process that logs", ms.process, ["COPY from a file", ms.fromText], 0.43],
    [", beside rows that are in the server", ms.product, ["INSERT … SELECT", ms.server], null],
  ] as const) {
    find({
      id: "P4",
      what: `catch-up${how}`,
      unit: "merges/s",
      value: perSecond(times),
      floor: { what: floor[0], sample: perSecond(floor[1]) },
      goal: bound === null ? null : { of: "ratio", is: "at least", bound },
    });
  }
  for (const [how, bound] of [
    ["silent", 45],
    ["logged", 55],
  ] as const) {
    find({
      id: "P6",
      what: `processor time of a caught-up merge, ${how}`,
      unit: "µs",
      value: sampleOf(cpu[how]),
      floor: null,
      goal: { of: "value", is: "at most", bound },
    });
  }
}

async function catchUpOnce({ owner, daemonUrl }: Database, merges: number): Promise<number> {
  await owner.query("CHECKPOINT");
  await using recording = await record(daemonUrl);
  let recorded = 0;
  const ms = await timed(async () => {
    recorded = await recording.poll();
  });
  if (recorded !== merges) throw new Error(`${recorded} of ${merges} merges were recorded`);
  return ms;
}

/** As an operator sees it: the daemon's own report of how long its backlog took, and its processor time beyond a start. */
async function catchUpProcess(
  entry: string,
  { owner, daemonUrl }: Database,
): Promise<{ readonly tookMs: number; readonly cpuUs: number }> {
  await owner.query("CHECKPOINT");
  let tookMs = Number.NaN;
  let before = Number.NaN;
  let cpuUs = Number.NaN;
  await using daemon = await daemonProcess(entry, daemonUrl, {
    onLine: ({ event, took_ms }, pid) => {
      if (event === "backlog.started") before = cpuMs(pid);
      if (event !== "backlog.completed") return;
      tookMs = Number(took_ms);
      cpuUs = (cpuMs(pid) - before) * 1_000;
    },
  });
  await daemon.end("SIGTERM");
  return { tookMs, cpuUs };
}
