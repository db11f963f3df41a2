/** The connection breaks at every single message of a write, and whatever came of it, the log is right. */
import { beforeAll, describe, expect, it } from "vitest";
import { type EventName, startDaemon, type TestDaemon } from "../support/daemon.ts";
import { violations } from "../support/oracle.ts";
import { merge } from "../support/orchestrator.ts";
import { isCommit, type Proxy, startProxy, type Verdict } from "../support/proxy.ts";
import { sharedDatabase } from "../support/shared-database.ts";
import { until } from "../support/until.ts";

const database = sharedDatabase();
let proxy: Proxy;

beforeAll(async () => {
  proxy = await startProxy(database.daemonUrl);
  return () => proxy[Symbol.asyncDispose]();
});

/** Judges the `k`-th message from now on, from 1. @returns whether it has come to that. */
function atMessage(k: number, verdict: Verdict): () => boolean {
  let seen = 0;
  proxy.onMessage = () => {
    seen += 1;
    return seen === k ? verdict : "pass";
  };
  return () => seen >= k;
}

/** What becomes of the next COMMIT; every other message passes. */
function atNextCommit(verdict: Verdict): void {
  let struck = false;
  proxy.onMessage = (message) => {
    if (struck || !isCommit(message)) return "pass";
    struck = true;
    return verdict;
  };
}

function settled({ events }: TestDaemon): boolean {
  const last = (name: EventName): number => events.findLastIndex((one) => one.event === name);
  return last("reconciliation.completed") > last("db.connected");
}

/** A daemon that polls when it is rung, behind the proxy. The reconciliation after every restore, whose messages would count, is over. */
async function startSettled(): Promise<TestDaemon> {
  const daemon = startDaemon(database, { url: proxy.url(database.daemonUrl), pollIntervalMs: 600_000 });
  await until("the daemon has settled down", () => settled(daemon));
  return daemon;
}

describe.each(["cut-before", "cut-after", "lose-answer"] as const)("%s", (verdict) => {
  it("at every message of a write, one after the other: each merge is recorded once", async () => {
    let cuts = 0;
    let unknown = 0;
    for (let k = 1; ; k += 1) {
      // Its first write, as a connection prepares the insert but once.
      await using daemon = await startSettled();
      const struck = atMessage(k, verdict);
      const mark = daemon.mark();
      await merge(database.admin);
      daemon.ring();
      await daemon.converged();
      proxy.onMessage = () => "pass";
      if (!struck()) break;
      cuts += 1;
      const after = daemon.events.slice(mark);
      unknown += after.filter((one) => one.event === "commit.unknown").length;
      expect(after.filter((one) => one.event === "commit.unknown").length).toBe(
        after.filter((one) => one.event === "commit.resolved").length,
      );
    }
    // Poll, lock and fence, bind (a rehearsal had it parsed), describe, execute, sync, commit.
    expect(cuts).toBe(7);
    expect(unknown).toBe(1);
    expect(await violations(database.admin)).toEqual([]);
  });
});

it.each(["cut-before", "cut-after", "lose-answer"] as const)(
  "%s at every message of a write right after another, whose poll is in the message with the lock: recorded once",
  async (verdict) => {
    let cuts = 0;
    for (let k = 1; ; k += 1) {
      await using daemon = await startSettled();
      await merge(database.admin);
      daemon.ring();
      await daemon.event("merge.recorded");
      const struck = atMessage(k, verdict);
      await merge(database.admin);
      daemon.ring();
      await daemon.converged();
      proxy.onMessage = () => "pass";
      if (!struck()) break;
      cuts += 1;
    }
    // Lock and poll; bind, describe, execute, sync; commit.
    expect(cuts).toBe(6);
    expect(await violations(database.admin)).toEqual([]);
  },
);

it("at every message of a start, from connecting to the end of the first reconciliation: it becomes ready", async () => {
  let cuts = 0;
  for (let k = 1; ; k += 1) {
    const struck = atMessage(k, "cut-before");
    await merge(database.admin);
    await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl) });
    await daemon.converged();
    await until("the daemon has settled down", () => settled(daemon));
    if (!struck()) break;
    cuts += 1;
    await daemon.stop();
  }
  expect(cuts).toBeGreaterThan(15);
  expect(await violations(database.admin)).toEqual([]);
});

it("a COMMIT that was done but never answered: unknown, resolved as committed, recorded once", async () => {
  await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl) });
  await daemon.ready();
  atNextCommit("lose-answer");
  const { eventId } = await merge(database.admin);
  expect(await daemon.event("commit.unknown")).toMatchObject({ merges: 1 });
  expect(await daemon.event("commit.resolved")).toEqual({ event: "commit.resolved", outcome: "committed" });
  await daemon.converged();
  expect(daemon.all("merge.recorded").filter((one) => one.event_id === eventId)).toEqual([]);
  expect(await violations(database.admin)).toEqual([]);
});

it("a COMMIT that never arrived: unknown, resolved as aborted, recorded by the next attempt", async () => {
  await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl) });
  await daemon.ready();
  atNextCommit("cut-before");
  const { eventId } = await merge(database.admin);
  await daemon.event("commit.unknown");
  expect(await daemon.event("commit.resolved")).toMatchObject({ outcome: "aborted" });
  expect(await daemon.event("merge.recorded", (one) => one.event_id === eventId)).toBeDefined();
  expect(await violations(database.admin)).toEqual([]);
});

it("a COMMIT that is answered with ROLLBACK is a failure, not a success", async () => {
  await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl) });
  await daemon.ready();
  atNextCommit({ say: "SELECT 'lost' AS fingerprint; ROLLBACK" });
  const { eventId } = await merge(database.admin);
  expect(await daemon.event("db.disconnected")).toMatchObject({ failure: { code: "COMMIT_ROLLED_BACK" } });
  await daemon.event("merge.recorded", (one) => one.event_id === eventId);
  await daemon.converged();
  expect(daemon.all("merge.recorded")).toHaveLength(1);
  expect(await violations(database.admin)).toEqual([]);
});

it("a connection that falls silent within a write is given up in time, and the lock with it", async () => {
  await using daemon = startDaemon(database, {
    url: proxy.url(database.daemonUrl),
    statementTimeoutMs: 200,
    lockTimeoutMs: 200,
  });
  await daemon.ready();
  let silent = 0;
  proxy.onMessage = (message) => {
    if (silent > 0 || message.type !== "S") return "pass";
    silent += 1;
    return "blackhole";
  };
  const { eventId } = await merge(database.admin);
  await daemon.event("merge.recorded", (one) => one.event_id === eventId);
  expect(silent).toBe(1);
  expect(daemon.all("db.disconnected").length).toBeGreaterThan(0);
  expect(await violations(database.admin)).toEqual([]);
});

it("a network that takes connections and never answers is given up by the connection timeout", async () => {
  proxy.onMessage = () => "pass";
  proxy.mode = "blackhole";
  await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl), connectTimeoutMs: 100 });
  await daemon.event("db.connect_failed", ({ attempt }) => attempt === 2);
  proxy.mode = "pass";
  await daemon.ready();
  expect(daemon.all("db.connect_failed").map(({ failure }) => failure.code)).toContain("CONNECT_TIMEOUT");
});

it("a COMMIT that never arrived, whose merge another daemon recorded meanwhile, is resolved as aborted", async () => {
  await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl) });
  await daemon.event("reconciliation.completed");
  proxy.onMessage = (message) => {
    if (!isCommit(message)) return "pass";
    proxy.mode = "cut";
    return "cut-before";
  };
  await merge(database.admin);
  await daemon.event("commit.unknown");
  await using other = startDaemon(database);
  await other.converged();
  proxy.onMessage = () => "pass";
  proxy.mode = "pass";
  expect(await daemon.event("commit.resolved")).toEqual({ event: "commit.resolved", outcome: "aborted" });
  await daemon.converged();
  expect(daemon.all("merge.recorded")).toEqual([]);
  expect(await violations(database.admin)).toEqual([]);
});
