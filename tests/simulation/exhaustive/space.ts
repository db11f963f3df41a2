/**
 * What may happen next, and where it leads. Each step is one instant and has a name, so a schedule is a list of names:
 *
 *   `d1`          the second daemon's next access to the server; at its bell, it wakes up first
 *   `o0` · `s0`   the first orchestrator's next step · the server's next step for the first session that lost its client
 *   `m2` · `m0.1` the scope's third fault occurs · its first fault hits the second daemon …
 *   `m0!1`        … while a statement is under way, which the server still runs
 *   `t1:1000`     so many milliseconds pass for the second daemon, which waits at its bell
 *
 * What no other session can observe is not a step of its own: connecting, waiting after a failure, being granted a lock that was
 * released, the end of a session without a transaction.
 */
import { AppendRefused, DatabaseFailure } from "../../../src/outbox/outbox-log.ts";
import { nameOf } from "../orchestrator.ts";
import { isCheckpoint, isRecord, type Row } from "../rows.ts";
import type { Pruned } from "../scenario.ts";
import { Server, type SessionId } from "../server.ts";
import type { Statement } from "../statement.ts";
import { Automaton, type Edge, type Node } from "./automaton.ts";
import { type ClientPiece, pieces } from "./client-pieces.ts";
import type { Input, Make } from "./live.ts";
import { type DaemonPlace, NOT_BEGUN, type Orphan, type Place, type Progress } from "./place.ts";
import type { May, Scope } from "./scopes.ts";
import { daemonName } from "./wording.ts";

/** An answer to a daemon, and what it did until its next wait. */
export type Said = { readonly who: string; readonly given: Input; readonly edge: Edge };

export type Happening = {
  readonly name: string;
  /** The daemon that acts or is hit; null for steps of others. */
  readonly daemon: number | null;
  /** Whether it is a fault, which need not happen. */
  readonly befalls: boolean;
};

/** Mutants, and daemons that are never merged. */
export type Made = Pick<Make, "log" | "daemon" | "apart">;

/** The automaton does not know this edge yet: a daemon must be run. */
class Unlearned {
  readonly node: Node;
  readonly input: Input;

  constructor(node: Node, input: Input) {
    this.node = node;
    this.input = input;
  }
}

/** A place while it changes, without the server's part. */
type At = {
  readonly daemons: DaemonPlace[];
  readonly orphans: Orphan[];
  readonly clients: number[];
  readonly left: boolean[];
};

const NEVER_MS = 1e12;
const PAGE_ROWS = 1_000;

export class Space {
  readonly server: Server;
  readonly automaton: Automaton;
  readonly scope: Scope;
  readonly clients: readonly (readonly ClientPiece[])[];
  #at: At = { daemons: [], orphans: [], clients: [], left: [] };
  #acting: SessionId = "";
  #said: Said[] = [];
  #start: Edge | null = null;

  constructor(scope: Scope, made: Made = {}) {
    this.scope = scope;
    this.server = new Server(scope.begins, {
      keptStates: Math.max(0, ...scope.may.map((may) => (may.happens === "failover" ? may.lost + 1 : 0))),
      name: (session) => this.#freshName(session),
    });
    for (const item of scope.refused ?? []) this.server.refuse(nameOf(item), true);
    this.automaton = new Automaton({
      server: this.server,
      session: () => this.#acting,
      pageRows: PAGE_ROWS,
      auditIntervalMs: scope.auditIntervalMs ?? NEVER_MS,
      ...made,
    });
    this.clients = scope.orchestrators.map((works, index) =>
      works.flatMap((work, place) => pieces(work, `${index}.${place}`)),
    );
  }

  /** The beginning: orchestrators are connected, daemons start. */
  async first(): Promise<Place> {
    this.#start = await this.automaton.start();
    const { orchestrators, daemons, may } = this.scope;
    orchestrators.forEach((_, index) => this.server.connect(`o${index}`));
    const empty: Place = {
      now: this.server.now,
      daemons: [],
      orphans: [],
      clients: orchestrators.map(() => 0),
      left: may.map(() => true),
    };
    return this.#change(empty, () => {
      for (let index = 0; index < daemons; index += 1) this.#starts(index);
    });
  }

  /** @returns where it leads. */
  async follow(place: Place, name: string): Promise<Place> {
    for (;;) {
      try {
        return this.#change(place, () => this.#happens(name));
      } catch (error) {
        if (!(error instanceof Unlearned)) throw error;
        await this.automaton.learn(error.node, error.input);
      }
    }
  }

  /** What daemons were given and did in the last step. */
  get said(): readonly Said[] {
    return this.#said;
  }

  /** The daemon at its next access to the server: at its bell, it wakes up first. */
  async asking(place: Place, index: number): Promise<DaemonPlace> {
    const daemon = place.daemons[index] as DaemonPlace;
    if (daemon.node.wait.for !== "bell") return daemon;
    const { daemons } = await this.follow(place, `w${index}`);
    return daemons[index] as DaemonPlace;
  }

  /** What a daemon's next access returns in the server's present state. */
  readFrom(daemon: DaemonPlace): Input {
    const { wait } = daemon.node;
    if (wait.for !== "answer" || daemon.session === null || this.server.ended(daemon.session))
      return { gives: "loss" };
    return this.#run(daemon.session, wait.statement, daemon);
  }

  /** The next steps of orchestrators and of the server. */
  turns({ orphans, clients, left }: Place): Happening[] {
    const names = [
      ...orphans.flatMap(({ session, statement, part }, index) =>
        statement?.parts[part]?.underLock === true && !this.server.ended(session) ? [] : [`s${index}`],
      ),
      ...clients.flatMap((done, index) => (done < (this.clients[index]?.length ?? 0) ? [`o${index}`] : [])),
      ...this.scope.may.flatMap((may, which) =>
        left[which] === true && may.happens === "taken" ? [`m${which}`] : [],
      ),
    ];
    return names.map((name) => ({ name, daemon: null, befalls: false }));
  }

  /** Faults of the server. */
  befallServer({ left }: Place): Happening[] {
    return this.scope.may.flatMap((may, which) =>
      left[which] === true && may.happens !== "taken" && !TO_DAEMONS.has(may.happens)
        ? [{ name: `m${which}`, daemon: null, befalls: true }]
        : [],
    );
  }

  /**
   * Faults that may hit a daemon.
   * @param read whether it has read before: what a daemon read leaves no trace when it dies.
   * @param writes whether its next access changes something.
   */
  befallDaemon({ left, daemons }: Place, index: number, read: boolean, writes: boolean): Happening[] {
    const { node, part } = daemons[index] as DaemonPlace;
    const { wait } = node;
    const begins = writes && wait.for === "answer" && part === 0;
    const names = this.scope.may.flatMap(({ happens }, which): string[] => {
      if (left[which] !== true) return [];
      const [now, underWay, awake] = [`m${which}.${index}`, `m${which}!${index}`, `m${which}+${index}`];
      if (happens === "death") return [...(read ? [] : [now]), ...(begins ? [underWay] : [])];
      if (happens === "cut") return [now, ...(begins ? [underWay] : [])];
      if (happens === "refusal") return begins && wait.statement.refused !== null ? [now] : [];
      if (happens === "stop") return [now, ...(wait.for === "bell" ? [awake] : [])];
      return [];
    });
    return names.map((name) => ({ name, daemon: index, befalls: true }));
  }

  /** Whether this daemon is between two waits (at its bell, for the lock), or this orchestrator within a transaction. */
  isInTheMiddle({ daemons, clients }: Place, who: string): boolean {
    const index = Number(who.slice(1));
    if (who.startsWith("o")) return this.clients[index]?.[clients[index] ?? 0]?.begins === false;
    const daemon = who.startsWith("d") ? daemons[index] : undefined;
    const wait = daemon?.node.wait;
    return wait?.for === "answer" && wait.statement.parts[daemon?.part ?? 0]?.underLock !== true;
  }

  #change(place: Place, change: () => void): Place {
    const { now, daemons, orphans, clients, left } = place;
    this.server.now = now;
    this.#said = [];
    const at = { daemons: [...daemons], orphans: [...orphans], clients: [...clients], left: [...left] };
    this.#at = at;
    change();
    this.#grant();
    return { ...at, now: this.server.now };
  }

  #happens(name: string): void {
    const index = Number(name.slice(1));
    switch (name.charAt(0)) {
      case "w":
        return this.#wakes(index);
      case "d":
        this.#wakes(index);
        return this.#step(index);
      case "o":
        return this.#piece(index);
      case "s":
        return this.#orphanStep(index);
      case "t": {
        const [daemon, ms] = name.slice(1).split(":");
        return this.#give(Number(daemon), { gives: "wake-up", ms: Number(ms) });
      }
      case "m": {
        const [, which, how, daemon] = /^m(\d+)(?:([.!+])(\d+))?$/.exec(name) ?? [];
        return this.#befalls(Number(which), how, Number(daemon));
      }
      default:
        throw new Error(`no step is called ${name}`);
    }
  }

  #wakes(index: number): void {
    if (this.#at.daemons[index]?.node.wait.for === "bell") this.#give(index, { gives: "wake-up", ms: 0 });
  }

  /** The next part of a daemon's statement. */
  #step(index: number): void {
    const daemon = this.#at.daemons[index] as DaemonPlace;
    const { wait } = daemon.node;
    if (wait.for !== "answer" || daemon.session === null) return;
    if (this.server.ended(daemon.session)) return this.#give(index, { gives: "loss" });
    if (wait.statement.parts[daemon.part]?.underLock === true && !this.server.owns(daemon.session)) return;
    const outcome = this.#run(daemon.session, wait.statement, daemon);
    if (outcome.gives === "answer" && daemon.part + 1 < wait.statement.parts.length)
      this.#at.daemons[index] = { ...daemon, part: daemon.part + 1, carry: outcome.value };
    else this.#give(index, outcome);
  }

  /** One part of a statement. @returns its answer, or the value for the next part. */
  #run(session: SessionId, statement: Statement<unknown>, { part, carry }: Progress): Input {
    this.#acting = session;
    try {
      return { gives: "answer", value: statement.parts[part]?.run(carry) };
    } catch (error) {
      if (error instanceof AppendRefused) return { gives: "error", error };
      if (!(error instanceof DatabaseFailure)) throw error;
      this.server.end(session);
      return { gives: "loss" };
    }
  }

  /** Runs a daemon to its next wait. @param underWay the statement that the server still runs. */
  #give(index: number, given: Input, underWay: Statement<unknown> | null = null): void {
    const daemon = this.#at.daemons[index] as DaemonPlace;
    const edge = this.automaton.known(daemon.node, given);
    if (edge === undefined) throw new Unlearned(daemon.node, given);
    this.#said.push({ who: daemonName(index), given, edge });
    this.#goes(index, daemon, edge, underWay);
    // The statement that it waits for continues.
    const after = this.#at.daemons[index] as DaemonPlace;
    const { part, carry } = daemon;
    if (given.gives === "stop" && part > 0) this.#at.daemons[index] = { ...after, part, carry };
  }

  #goes(
    index: number,
    daemon: DaemonPlace,
    { outputs, to }: Edge,
    underWay: Statement<unknown> | null,
  ): void {
    let { session } = daemon;
    for (const output of outputs) {
      if (output.does === "connect") session = this.server.connect(this.#freshSession(index));
      else if (output.does === "leave" && session !== null) {
        this.#leaves(session, underWay, daemon);
        session = null;
      }
    }
    if (to.wait.for === "nothing") return this.#starts(index);
    this.#at.daemons[index] = { node: to, session, ...NOT_BEGUN };
    if (to.wait.for === "time") this.#give(index, { gives: "time" });
  }

  /** A daemon's connection is lost; its session ends when the server notices. */
  #leaves(session: SessionId, statement: Statement<unknown> | null, { part, carry }: Progress): void {
    if (this.server.ended(session)) return;
    const reads = statement === null || part > 0;
    if (reads && this.server.transaction(session) === null) this.server.end(session);
    else this.#at.orphans.push({ session, statement, part, carry });
  }

  #starts(index: number): void {
    const edge = this.#start;
    if (edge === null) throw new Error("daemons start after the first one");
    this.#said.push({ who: daemonName(index), given: { gives: "time" }, edge });
    this.#goes(index, { node: edge.to, session: null, ...NOT_BEGUN }, edge, null);
  }

  #freshSession(index: number): SessionId {
    let session = `d${index}`;
    while (!this.server.ended(session)) session += "'";
    return session;
  }

  /** A name that no daemon may still remember for another transaction. */
  #freshName(session: SessionId): string {
    const taken = new Set(this.#at.daemons.flatMap(({ node }) => [...node.names]));
    const { sessions, state, ending } = this.server.now;
    for (const { transaction } of sessions.values()) if (transaction !== null) taken.add(transaction.name);
    for (const { name } of [...state.prepared.values(), ...ending.values()]) taken.add(name);
    // Not named after the daemon: daemons are interchangeable.
    const who = session.startsWith("d") ? "d" : session;
    let number = 1;
    while (taken.has(`tx:${who}:${number}`)) number += 1;
    return `tx:${who}:${number}`;
  }

  /** Runs the statement that has been granted the lock. */
  #grant(): void {
    const { daemons, orphans } = this.#at;
    daemons.forEach(({ node, part, session }, index) => {
      const waits = node.wait.for === "answer" && node.wait.statement.parts[part]?.underLock === true;
      if (waits && session !== null && this.server.owns(session)) this.#step(index);
    });
    orphans.forEach(({ statement, part, session }, index) => {
      if (statement?.parts[part]?.underLock === true && this.server.owns(session)) this.#orphanStep(index);
    });
  }

  #orphanStep(index: number): void {
    const { orphans } = this.#at;
    const orphan = orphans[index] as Orphan;
    const { session, statement, part } = orphan;
    const outcome =
      statement === null || this.server.ended(session) ? null : this.#run(session, statement, orphan);
    if (outcome?.gives === "answer" && statement !== null && part + 1 < statement.parts.length) {
      orphans[index] = { ...orphan, part: part + 1, carry: outcome.value };
    } else if (outcome?.gives === "answer" && this.server.transaction(session) !== null) {
      orphans[index] = { session, statement: null, ...NOT_BEGUN };
    } else {
      this.server.end(session);
      orphans.splice(index, 1);
    }
  }

  #piece(index: number): void {
    const { clients } = this.#at;
    const all = this.clients[index] ?? [];
    const session = `o${index}`;
    let place = clients[index] as number;
    if (this.server.ended(session)) {
      this.server.connect(session);
      // The transaction that was under way is lost.
      while (place < all.length && all[place]?.begins !== true && all[place]?.needsSession === true)
        place += 1;
    }
    all[place]?.run(this.server, session);
    clients[index] = Math.min(place + 1, all.length);
  }

  #befalls(which: number, how: string | undefined, index: number): void {
    const may = this.scope.may[which];
    if (may === undefined) throw new Error("the scope has no such fault");
    this.#at.left[which] = false;
    switch (may.happens) {
      case "death":
        return this.#dies(index, how === "!");
      case "cut":
        this.#wakes(index);
        return this.#cut(index, how === "!");
      case "refusal":
        return this.#refused(index);
      case "stop":
        if (how === "+") this.#wakes(index);
        return this.#give(index, { gives: "stop" });
      case "failover":
        return this.server.failover(may.lost, 0);
      case "recovery": {
        const between = this.#at.daemons.filter(({ part }) => part === 0);
        return this.server.recovery(between.flatMap(({ session }) => session ?? []));
      }
      case "prune":
        return this.#prune(may);
      case "set null":
        return this.server.setNull(nameOf(may.item));
      case "taken":
        return this.server.refuse(nameOf(may.item), false);
    }
  }

  #prune({ rows, only }: Extract<May, { happens: "prune" }>): void {
    const checkpoint = this.server.state.rows.findLast(isCheckpoint);
    const old = (row: Row): boolean => checkpoint !== undefined && row.id < checkpoint.id;
    this.server.prune(rows, (row) => PRUNED[only](row) && (only !== "records" || old(row)));
  }

  /** Another daemon takes its place. */
  #dies(index: number, underWay: boolean): void {
    const daemon = this.#at.daemons[index] as DaemonPlace;
    const { wait } = daemon.node;
    const statement = (underWay || daemon.part > 0) && wait.for === "answer" ? wait.statement : null;
    if (daemon.session !== null) this.#leaves(daemon.session, statement, daemon);
    this.#starts(index);
  }

  #cut(index: number, underWay: boolean): void {
    const { node, part } = this.#at.daemons[index] as DaemonPlace;
    const { wait } = node;
    this.#give(
      index,
      { gives: "loss" },
      (underWay || part > 0) && wait.for === "answer" ? wait.statement : null,
    );
  }

  #refused(index: number): void {
    const { node, session } = this.#at.daemons[index] as DaemonPlace;
    if (session === null || this.server.ended(session)) return this.#give(index, { gives: "loss" });
    this.#acting = session;
    const refused = node.wait.for === "answer" ? node.wait.statement.refused : null;
    this.#give(index, { gives: "answer", value: refused?.() });
  }
}

const TO_DAEMONS: ReadonlySet<May["happens"]> = new Set(["death", "cut", "refusal", "stop"]);

const PRUNED: Readonly<Record<Pruned | "all", (row: Row) => boolean>> = {
  all: () => true,
  checkpoints: isCheckpoint,
  transitions: (row) => !row.kind.startsWith("metric."),
  records: isRecord,
};
