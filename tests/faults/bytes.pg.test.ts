/** Whatever bytes come from the network, they cost a connection at most: no process, no merge, and no merge twice. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { DatabaseFailure } from "../../src/outbox/outbox-log.ts";
import { connect } from "../../src/postgres/connection.ts";
import { configOf, startDaemon } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase } from "../support/database.ts";
import { MANGLING_NAMES, type ManglingName, mangled } from "../support/mangling.ts";
import { violations } from "../support/oracle.ts";
import { merge, merges, notify, times } from "../support/orchestrator.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { expectRight } from "../support/right.ts";
import { sharedDatabase } from "../support/shared-database.ts";

/** A connection takes its time, so a run tries some of the manglings at some of the messages; PROPERTY_RUNS=24 tries all at each. */
const ROUNDS = Number(process.env["PROPERTY_RUNS"] ?? 1);

type Strike = { struck: boolean; readonly types: string[] };

/** Mangles the `k`-th reply, from 1, of the next connection. */
function atReply(proxy: Proxy, k: number, name: ManglingName): Strike {
  const state: Strike = { struck: false, types: [] };
  const next = proxy.connections + 1;
  proxy.onReply = (message) => {
    if (message.connection !== next) return "pass";
    state.types.push(message.type);
    if (state.types.length !== k) return "pass";
    state.struck = true;
    return mangled(name, message, k);
  };
  return state;
}

/** Mangles nothing: the replies of the newest connection, as an earlier one may have been given up. */
function allReplies(proxy: Proxy): Strike {
  let newest = proxy.connections;
  const state: Strike = { struck: false, types: [] };
  proxy.onReply = ({ connection, type }) => {
    if (connection > newest) state.types.length = 0;
    newest = Math.max(newest, connection);
    if (connection === newest) state.types.push(type);
    return "pass";
  };
  return state;
}

/** From 1; of a run of messages of one kind, such as the answers to SET, the first and the last. */
function places({ types }: Strike): number[] {
  return types.flatMap((type, at) => (type === types[at - 1] && type === types[at + 1] ? [] : [at + 1]));
}

const database = sharedDatabase();

/** An answer that is mangled may never come; one that is not comes, however busy the machine is. */
const IMPATIENT = { connectTimeoutMs: 300, statementTimeoutMs: 50, lockTimeoutMs: 50 };
const PATIENT = { connectTimeoutMs: 30_000, statementTimeoutMs: 30_000, lockTimeoutMs: 30_000 };

const settings = (url: string, timeouts: typeof PATIENT) => ({
  database: configOf(url).database,
  applicationName: "test",
  ...timeouts,
});

/** Mangles the next reply of this kind, whichever connection it is on. */
function mangleNext(proxy: Proxy, type: string, name: ManglingName): void {
  let struck = false;
  proxy.onReply = (message) => {
    if (struck || message.type !== type) return "pass";
    struck = true;
    return mangled(name, message, 1);
  };
}

it(
  "at the messages of a start and of a write, mangled: the daemon continues, and each merge is recorded once",
  async () => {
    await using proxy = await startProxy(database.daemonUrl);
    proxy.onReply = () => "pass";
    await using daemon = startDaemon(database, {
      url: proxy.url(database.daemonUrl),
      pollIntervalMs: 600_000,
      statementTimeoutMs: 400,
      connectTimeoutMs: 400,
      backoff: { firstMs: 1, capMs: 2 },
    });
    await daemon.event("reconciliation.completed");
    let merged = 0;
    /** A connection from its beginning, with a merge that is due, to its end or until there is nothing more to do. */
    const live = async (state: Strike): Promise<Strike> => {
      await merge(database.admin);
      merged += 1;
      const mark = daemon.mark();
      proxy.mode = "cut";
      proxy.mode = "pass";
      await daemon.event("reconciliation.completed", () => daemon.memory()?.as_of.seq === merged, mark);
      return state;
    };
    const all = places(await live(allReplies(proxy)));
    expect(all.length).toBeGreaterThan(60);
    let strikes = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      // Every second message, and in the next round the others.
      for (let index = round % 2; index < all.length; index += 2) {
        const name = MANGLING_NAMES[((index >> 1) + (round >> 1)) % MANGLING_NAMES.length] ?? "lost";
        if ((await live(atReply(proxy, all[index] ?? 0, name))).struck) strikes += 1;
      }
    }
    expect(strikes).toBeGreaterThan(0.45 * ROUNDS * all.length - 1);
    proxy.onReply = null;
    await expectRight(database, daemon);
    expect(daemon.memory()?.as_of.seq).toBe(merged);
    for (const never of ["daemon.fatal", "history.reset", "db.unfit"] as const)
      expect(daemon.all(never)).toEqual([]);
  },
  ROUNDS * 240_000,
);

describe("a statement's answer", () => {
  const ROWS = 40;
  const VALUES = Array.from({ length: ROWS }, (_, index) => `row ${index + 1}`);
  const SELECT = `SELECT 'row ' || n AS value FROM generate_series(1, ${ROWS}) n`;

  /** What is said after the connection is made, as each way of asking has it. */
  const ways: Readonly<
    Record<string, (url: string, timeouts: typeof PATIENT) => Promise<readonly unknown[]>>
  > = {
    "to a message of several": async (url, timeouts) => {
      const connection = await connect(settings(url, timeouts));
      try {
        return (await connection.read(SELECT)).rows.map((row) => row["value"]);
      } finally {
        connection.destroy();
      }
    },
    "to one with parameters": async (url, timeouts) => {
      const connection = await connect(settings(url, timeouts));
      try {
        return (await connection.run(`${SELECT} WHERE n > $1`, [0], "named")).rows.map((row) => row["value"]);
      } finally {
        connection.destroy();
      }
    },
    "to COPY": async (url, timeouts) => {
      const connection = await connect(settings(url, timeouts));
      try {
        const rows: unknown[] = [];
        await connection.readOut(`COPY (${SELECT}) TO STDOUT`, (fields) => rows.push(...fields));
        return rows;
      } finally {
        connection.destroy();
      }
    },
  };

  it.each(Object.keys(ways))(
    "%s, mangled at every message from the first one on: it is whole, or a failure",
    async (way) => {
      const ask = ways[way] ?? (async () => []);
      await using proxy = await startProxy(database.daemonUrl);
      const state = allReplies(proxy);
      expect(await ask(proxy.url(database.daemonUrl), PATIENT)).toEqual(VALUES);
      let failures = 0;
      for (const k of places(state)) {
        const names = MANGLING_NAMES.filter((_, index) => (index + k) % 2 < ROUNDS);
        const wrong = await Promise.all(
          names.map(async (name) => {
            await using own = await startProxy(database.daemonUrl);
            atReply(own, k, name);
            try {
              const answer = await ask(own.url(database.daemonUrl), IMPATIENT);
              return isDeepStrictEqual(answer, VALUES) ? null : `${k} ${name}: ${JSON.stringify(answer)}`;
            } catch (error) {
              failures += 1;
              return error instanceof DatabaseFailure ? null : `${k} ${name}: ${String(error)}`;
            }
          }),
        );
        expect(wrong.filter((what) => what !== null)).toEqual([]);
      }
      expect(failures).toBeGreaterThan(50);
    },
  );
});

describe("a process", () => {
  it("that records and listens meets them on either connection, stays alive in bounded memory, and records each merge once", async () => {
    await using own = await createDatabase();
    await using proxy = await startProxy(own.daemonUrl);
    proxy.onReply = () => "pass";
    await using daemon = spawnDaemon(proxy.url(own.daemonUrl), {
      METRICS_STATEMENT_TIMEOUT: "300ms",
      METRICS_CONNECT_TIMEOUT: "300ms",
    });
    await daemon.line("listen.connected");
    await daemon.line("reconciliation.completed");
    for (const [index, name] of MANGLING_NAMES.entries()) {
      const mark = daemon.mark();
      // In turn a row for the writer, a notification for the listener.
      const type = index % 2 === 0 ? "D" : "A";
      mangleNext(proxy, type, name);
      await merge(own.admin);
      await notify(own.admin);
      // A notification that is lost is nothing that the listener could know of.
      const back = name === "lost" ? "merge.recorded" : type === "D" ? "db.connected" : "listen.connected";
      await daemon.line(back, undefined, mark);
    }
    proxy.onReply = null;
    const mark = daemon.mark();
    proxy.mode = "cut";
    proxy.mode = "pass";
    await daemon.line("listen.connected", undefined, mark);
    await daemon.line("reconciliation.completed", undefined, mark);
    expect(highestMemoryMb(daemon.pid)).toBeLessThan(400);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.output()).not.toMatch(/daemon\.fatal|history\.reset|db\.unfit/);
    expect(await violations(own.admin)).toEqual([]);
  });

  it("that only reads prints what is right, or nothing and exits with 3", async () => {
    await using proxy = await startProxy(database.daemonUrl);
    await merges(database.admin, times(1));
    const dry = allReplies(proxy);
    const right = await snapshot(proxy.url(database.daemonUrl), PATIENT.statementTimeoutMs);
    expect(right.code).toBe(0);
    const all = places(dry);
    const told: string[] = [];
    for (const [index, name] of MANGLING_NAMES.entries()) {
      const at = Math.floor((all.length * (index + 0.5)) / MANGLING_NAMES.length);
      atReply(proxy, all[at] ?? 1, name);
      const { code, out, err } = await snapshot(proxy.url(database.daemonUrl), IMPATIENT.connectTimeoutMs);
      const isRight = code === 0 && steady(out) === steady(right.out);
      const saysWhy = code === 3 && out === "" && /^metrics: .+\(\w+: .+\)\n$/.test(err);
      told.push(isRight || saysWhy ? "fine" : `${name}: ${code} ${out} ${err}`);
    }
    expect(told).toEqual(MANGLING_NAMES.map(() => "fine"));
  });
});

/** Without the moment of the look. */
function steady(document: string): string {
  return document.replace(/"generated_at.*|"seconds.*/g, "");
}

/** 0 where the system does not say. */
function highestMemoryMb(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function snapshot(url: string, timeoutMs: number): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [ENTRY, "snapshot", "--json", "--timeout", `${timeoutMs}ms`],
      { env: environment(url) },
      (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}
