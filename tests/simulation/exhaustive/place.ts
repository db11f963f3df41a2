/**
 * A place: the state of the whole system at one moment. It consists of what the server knows, what each daemon waits for, how far each
 * orchestrator has come, the sessions that lost their clients, and the faults that may still occur.
 *
 * Two places are the same if nothing written in them differs. Keys are full texts, so no two are confused by a hash. Daemons are
 * interchangeable, and so are names of transactions that no daemon can remember.
 */
import type { Now, SessionId } from "../server.ts";
import type { Statement } from "../statement.ts";
import type { Node } from "./automaton.ts";
import { ofAnswer, ofRest, ofTransaction } from "./digest.ts";

/** A statement that has been begun: how many of its parts have been run, and what the last one returned. */
export type Progress = { readonly part: number; readonly carry: unknown };

export const NOT_BEGUN: Progress = { part: 0, carry: undefined };

export type DaemonPlace = Progress & {
  readonly node: Node;
  /** Null while it has no connection. */
  readonly session: SessionId | null;
};

/** A session that lost its client: it ends when the server notices, after the statement that was under way. */
export type Orphan = Progress & {
  readonly session: SessionId;
  readonly statement: Statement<unknown> | null;
};

export type Place = {
  readonly now: Now;
  readonly daemons: readonly DaemonPlace[];
  readonly orphans: readonly Orphan[];
  /** For each orchestrator: how many steps of its transactions it has run. */
  readonly clients: readonly number[];
  /** Which of the scope's faults may still occur. */
  readonly left: readonly boolean[];
};

/**
 * Equal for two places in which daemons are only exchanged: they are alike, and none knows which one another is.
 * @param last whose step was the last one, in a search by preemptions.
 */
export function keyOf({ now, daemons, orphans, clients, left }: Place, last = ""): string {
  const ofDaemons = daemons.map((daemon, index) => {
    const mark = last === `d${index}` ? "!" : "";
    return `${daemonKey(daemon)}${sessionKey(now, daemon.session)}${mark}`;
  });
  const ofOrphans = orphans.map(
    (orphan) => `${orphan.statement?.name}${progressKey(orphan)}${sessionKey(now, orphan.session)}`,
  );
  const ofClients = clients.map((done, index) => `${done}${sessionKey(now, `o${index}`)}`);
  return [
    ofRest(now),
    ofDaemons.toSorted().join(),
    ofOrphans.toSorted().join(),
    ofClients.join(),
    left.map(Number).join(""),
    last.startsWith("d") ? "" : last,
  ].join("|");
}

/** What a daemon knows, and what it is in the middle of. */
export function daemonKey(daemon: DaemonPlace): string {
  return `${daemon.node.id}${progressKey(daemon)}`;
}

function progressKey({ part, carry }: Progress): string {
  return part === 0 ? "" : `+${part}:${ofAnswer(carry)}`;
}

/** What the server knows of a session. */
function sessionKey({ sessions, lock }: Now, id: SessionId | null): string {
  const session = id === null ? undefined : sessions.get(id);
  if (session === undefined) return "-";
  const place = lock.indexOf(id as SessionId);
  const transaction = session.transaction === null ? "" : `/${ofTransaction(session.transaction)}`;
  return `@${place < 0 ? "" : place}${transaction}`;
}
