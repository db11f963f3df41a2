/** What happens to the server and to daemons in the middle of everything. */
import type { Bell } from "../../src/recorder/bell.ts";
import type { Daemon } from "../../src/recorder/daemon.ts";
import type { Judge } from "./judge.ts";
import { nameOf } from "./orchestrator.ts";
import { isCheckpoint, isRecord, payloadOf, type Row } from "./rows.ts";
import type { Incident, Pruned } from "./scenario.ts";
import type { Server } from "./server.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { SimulatedChannel } from "./wire.ts";

export type Running = {
  readonly name: string;
  readonly daemon: Pick<Daemon, "analyzer" | "due" | "run" | "abandon">;
  readonly bell: Bell;
  readonly stop: AbortController;
  readonly channels: SimulatedChannel[];
};

/** Whom incidents befall. */
export type Stage = {
  readonly server: Server;
  readonly judge: Judge;
  readonly time: VirtualTime;
  /** Those that run now. */
  readonly daemons: Running[];
  /** With those that are on their way out. */
  readonly alive: ReadonlySet<Running>;
  /** Starts another daemon. */
  readonly start: () => void;
  readonly step: (label: string) => Promise<void>;
};

const PRUNED: Readonly<Record<Exclude<Pruned, "records">, (row: Row) => boolean>> = {
  checkpoints: isCheckpoint,
  transitions: (row) => !row.kind.startsWith("metric."),
};
const HOUR_MS = 3_700_000;

/** Retention of records before the newest checkpoint, if every running daemon has folded them. */
function forget(count: number, { server, alive }: Stage): void {
  const checkpoint = server.state.rows.findLast(isCheckpoint);
  if (checkpoint === undefined) return;
  const { seq, skipped } = payloadOf(checkpoint);
  const folded = [...alive].every(
    ({ daemon: { analyzer } }) =>
      analyzer === null || (analyzer.global.seq >= Number(seq) && analyzer.skipped >= Number(skipped)),
  );
  if (folded) server.prune(count, (row) => isRecord(row) && row.id < checkpoint.id);
}

export async function happen(incident: Incident, stage: Stage): Promise<void> {
  const { server, judge, time, daemons, start, step } = stage;
  switch (incident.happens) {
    case "failover":
      judge.judgeLog();
      server.failover(incident.lost, incident.skippedIds);
      break;
    case "truncate":
      judge.judgeLog();
      for (let attempts = 0; attempts < 10 && !server.truncate(); attempts += 1) await step("truncate waits");
      break;
    case "prune":
      judge.judgeLog();
      if (incident.only === "records") forget(incident.rows, stage);
      else server.prune(incident.rows, incident.only === undefined ? undefined : PRUNED[incident.only]);
      break;
    case "set null":
      judge.judgeLog();
      server.setNull(nameOf(incident.item));
      break;
    case "refuse":
      server.refuse(nameOf(incident.item), true);
      for (let steps = 0; steps < incident.steps; steps += 1) await step("an item's rows are refused");
      server.refuse(nameOf(incident.item), false);
      break;
    case "hour":
      time.now += HOUR_MS;
      for (const { channels } of daemons) channels.at(-1)?.timeOut();
      break;
    case "recovery":
      server.recovery(daemons.flatMap(({ channels }) => channels.at(-1)?.pooledSession ?? []));
      break;
    case "stranger": {
      const session = server.connect();
      server.ask(session);
      for (let steps = 0; steps < incident.steps; steps += 1) await step("a stranger has our lock");
      server.end(session);
      break;
    }
    case "terminate":
    case "kill":
    case "restart": {
      const victim = daemons[incident.daemon % daemons.length] as Running;
      if (incident.happens === "terminate") {
        const session = victim.channels.at(-1)?.session;
        if (session !== undefined) server.end(session);
        break;
      }
      victim.stop.abort();
      if (incident.happens === "kill") victim.daemon.abandon();
      daemons.splice(daemons.indexOf(victim), 1);
      start();
      break;
    }
  }
}
