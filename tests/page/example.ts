/** What the page shows in tests: a story folded by the core, over as many projects as wanted. */
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import type { Facts } from "../../src/core/merge.ts";
import { StatusHistory } from "../../src/core/status-history.ts";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import { Readiness } from "../../src/events/readiness.ts";
import { Memory } from "../../src/http/memory.ts";
import type { Served } from "../../src/http/server.ts";
import { CONTRACT, merge, PRODUCER } from "../core/build.ts";

const NAMES = ["atlas", "borealis", "cassini"];

/** A good stretch, a bad one, a good one; the first project has most of the merges. */
function facts(seq: number, projects: readonly string[]): Facts {
  const bad = Math.floor(seq / 110) % 2 === 1;
  const conflict = seq % (bad ? 5 : 37) === 0;
  const spread = seq % 3 === 0 ? Math.floor(seq / 3) % projects.length : 0;
  return {
    project: projects[spread] ?? "atlas",
    attempts: conflict ? 2 : seq % (bad ? 3 : 14) === 0 ? 2 + (seq % 3) : 1,
    lastVerdict: conflict ? "rebase_conflict" : "approve",
  };
}

export function names(count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => NAMES[index] ?? `project-${String(index).padStart(3, "0")}`,
  );
}

export const RESTORED = {
  event: "restore.completed",
  seq: 0,
  merges: 0,
  from_checkpoint: null,
  projects: 0,
  skipped: 0,
  took_ms: 1,
} as const satisfies DaemonEvent;

const WELL: readonly DaemonEvent[] = [
  { event: "listen.connected" },
  { event: "db.connected", server_version: "18.4", role: "damascus_metrics" },
  RESTORED,
  { event: "daemon.ready", seq: 0, took_ms: 1 },
];

function at(minutes: number): string {
  return new Date(Date.UTC(2026, 10, 22, 10, minutes)).toISOString();
}

/** What is served of a daemon that is well and has recorded so many merges of these projects; more can follow. */
export function example(projects: readonly string[], merges: number, events: readonly DaemonEvent[] = WELL) {
  const analyzer = new Analyzer(CONTRACT);
  const recent = new StatusHistory();
  let rowId = 0;
  let seq = 0;
  const record = (count: number): void => {
    for (; count > 0; count -= 1) {
      seq += 1;
      const rows = fold(analyzer, merge(seq, facts(seq, projects)), PRODUCER);
      rowId += rows.length;
      recent.appended(rows, BigInt(rowId));
    }
  };
  record(projects.length === 0 ? 0 : merges);
  const readiness = new Readiness(() => new Date(at(0)));
  for (const event of events) readiness.accept(event);
  let lost = false;
  const daemon = {
    get analyzer() {
      return lost ? null : analyzer;
    },
    last: { analyzer, recent },
    due: 0,
    lagSeconds: 0,
    refused: 0,
  };
  const memory = new Memory(daemon, CONTRACT, () => new Date(at(seq + 1)));
  const served: Served = {
    isAlive: () => true,
    readiness,
    memory,
    merge: { kind: "work_item.transition", target: "merged" },
    prometheus: async () => ({ contentType: "text/plain", expose: async () => "" }),
  };
  /** The database fails in some way, or the daemon has restored its memory. */
  const report = (event: DaemonEvent): void => {
    readiness.accept(event);
    lost = event.event !== "restore.completed";
  };
  return { served, memory, record, report };
}
