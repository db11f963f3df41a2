/**
 * A real daemon, run by hand: it continues when it is given what it waits for, and pauses at its next wait. It depends on nothing
 * else: its clock stands still unless it is moved, its timers fire on request, and its server's answers come from outside.
 */

import type { DaemonEvent } from "../../../src/events/daemon-event.ts";
import { Bell } from "../../../src/recorder/bell.ts";
import { Daemon } from "../../../src/recorder/daemon.ts";
import { CONFIGURATIONS } from "../judged-log.ts";
import { type LogClass, SimulatedLog } from "../log.ts";
import type { Server, SessionId } from "../server.ts";
import type { Statement } from "../statement.ts";
import { type Channel, failure, type Wire } from "../wire.ts";
import type { DaemonFactory } from "../world.ts";
import { memoryOf, type Shared } from "./memory.ts";

/** What a daemon is given. */
export type Input =
  /** Its statement's answer. */
  | { readonly gives: "answer"; readonly value: unknown }
  /** The server refuses its statement with an error. */
  | { readonly gives: "error"; readonly error: Error }
  /** Its connection is lost. */
  | { readonly gives: "loss" }
  /** The bell rings, or the poll interval is over: after so many milliseconds. */
  | { readonly gives: "wake-up"; readonly ms: number }
  /** Its wait after a failure is over. */
  | { readonly gives: "time" }
  /** It is asked to stop. */
  | { readonly gives: "stop" };

/** What it does until its next wait. */
export type Output =
  | { readonly does: "connect" }
  /** Closes its connection. */
  | { readonly does: "leave" }
  | { readonly does: "report"; readonly event: DaemonEvent };

export type Wait =
  | { readonly for: "answer"; readonly statement: Statement<unknown> }
  | { readonly for: "bell" }
  /** After a failure. */
  | { readonly for: "time" }
  | { readonly for: "nothing" }
  /** It has ended with an error. */
  | { readonly for: "failure"; readonly error: unknown };

export type Make = {
  /** Where its statements run, and in which session: the acting one. */
  readonly server: Server;
  readonly session: () => SessionId;
  readonly pageRows: number;
  readonly auditIntervalMs: number;
  readonly log?: LogClass;
  readonly daemon?: DaemonFactory;
  /** Set: a daemon's node is the list of its answers. Default: daemons with the same memory are merged. */
  readonly apart?: true;
};

/** The same delay after each failure, so that the number of failures makes no difference. */
const SETTINGS = { pollIntervalMs: 1_000, backoff: { firstMs: 100, capMs: 100 } };
const [CONFIGURATION] = CONFIGURATIONS;

type Timer = { readonly id: number; readonly callback: () => void };
type Pending = {
  readonly statement: Statement<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
};

/** The daemon that sets timers now. */
let running: Live | null = null;
let lastTimer = 0;

function takesTimers(live: Live | null): void {
  running = live;
}

/** From now on, timers belong to daemons that are run by hand. */
export function takeTimers(): void {
  Object.assign(globalThis, {
    setTimeout: (callback: () => void) => running?.sets(callback),
    clearTimeout: (id: number) => running?.clears(id),
    setInterval: () => 0,
    clearInterval: () => undefined,
  });
}

export class Live {
  readonly daemon: ReturnType<DaemonFactory>;
  readonly #make: Make;
  readonly #stop = new AbortController();
  readonly #bell: Bell;
  readonly #shared: Shared;
  #now = 0;
  #timers: Timer[] = [];
  #atBell = false;
  #pending: Pending | null = null;
  #channel: HandedChannel | null = null;
  #wire: Wire | null = null;
  #log: SimulatedLog | null = null;
  #outputs: Output[] = [];
  #end: Wait | null = null;
  constructor(make: Make) {
    this.#make = make;
    this.#bell = new Bell();
    const wait = this.#bell.wait.bind(this.#bell);
    this.#bell.wait = async (ms) => {
      this.#atBell = true;
      const woken = await wait(ms);
      this.#atBell = false;
      return woken;
    };
    const { auditIntervalMs } = make;
    const { settings: metrics, producer } = CONFIGURATION as NonNullable<typeof CONFIGURATION>;
    const settings = { ...SETTINGS, metrics, producer, auditIntervalMs };
    const clock = { monotonic: () => this.#now, now: () => new Date(this.#now), random: () => 0.5 };
    const report = (event: DaemonEvent): void => void this.#outputs.push({ does: "report", event });
    const ports = { open: async () => this.#open(), report, clock };
    const create: DaemonFactory = make.daemon ?? ((...all) => new Daemon(...all));
    this.#shared = new Map<unknown, string>([
      [settings, "settings"],
      [metrics, "metrics"],
      [ports, "ports"],
      [report, "report"],
      [clock, "clock"],
      [this.#bell, "bell"],
      [this.#stop.signal, "stop"],
      [make.server, "server"],
    ]);
    this.daemon = create(settings, ports, this.#bell, this.#stop.signal);
  }

  /** From its start to its first wait. */
  async start(): Promise<Output[]> {
    return this.#run(() => {
      this.daemon.run().then(
        () => (this.#end = { for: "nothing" }),
        (error: unknown) => (this.#end = { for: "failure", error }),
      );
    });
  }

  /** @returns what the daemon does until its next wait. */
  give(input: Input): Promise<Output[]> {
    return this.#run(() => {
      const pending = this.#pending;
      if (input.gives === "stop") this.#stop.abort();
      else if (input.gives === "wake-up") {
        this.#now += input.ms;
        this.#fire();
      } else if (input.gives === "time") this.#fire();
      else {
        this.#pending = null;
        if (input.gives === "answer") pending?.resolve(input.value);
        else if (input.gives === "error") pending?.reject(input.error);
        else this.#channel?.lose(pending);
      }
    });
  }

  get wait(): Wait {
    if (this.#end !== null) return this.#end;
    if (this.#pending !== null) return { for: "answer", statement: this.#pending.statement };
    if (this.#atBell) return { for: "bell" };
    if (this.#timers.length > 0) return { for: "time" };
    throw new Error("a daemon waits for something unknown");
  }

  /** All that it remembers, while it waits at its bell or after a failure. @param constants objects that all daemons share. @throws Opaque */
  memory(constants: ReadonlySet<unknown>): string {
    const shared = new Map(this.#shared).set(this.#wire, "wire");
    for (const constant of constants) shared.set(constant, "constant");
    const { aborted } = this.#stop.signal;
    const log = this.wait.for === "bell" ? this.#log : null;
    return `${this.wait.for} ${this.#now} ${aborted} ${memoryOf([this.daemon, log], shared)}`;
  }

  sets(callback: () => void): number {
    lastTimer += 1;
    this.#timers.push({ id: lastTimer, callback });
    return lastTimer;
  }

  clears(id: number): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  }

  async #run(begin: () => void): Promise<Output[]> {
    takesTimers(this);
    begin();
    await settled();
    takesTimers(null);
    return this.#outputs.splice(0);
  }

  #fire(): void {
    this.#timers.shift()?.callback();
  }

  #open(): SimulatedLog {
    const { server, session, pageRows, log = SimulatedLog } = this.#make;
    this.#outputs.push({ does: "connect" });
    this.#channel = new HandedChannel(session, {
      asks: (pending) => (this.#pending = pending),
      leaves: () => this.#outputs.push({ does: "leave" }),
    });
    this.#wire = { server, channel: this.#channel, pageRows, cached: false, committed: () => undefined };
    this.#log = new log(this.#wire);
    return this.#log;
  }
}

type Heard = { readonly asks: (pending: Pending) => void; readonly leaves: () => void };

/** A connection whose statements are answered from outside. */
class HandedChannel implements Channel {
  readonly #session: () => SessionId;
  readonly #heard: Heard;
  #left = false;

  constructor(session: () => SessionId, heard: Heard) {
    this.#session = session;
    this.#heard = heard;
  }

  /** The acting session. */
  get session(): SessionId {
    return this.#session();
  }

  async send<T>(statement: Statement<T>): Promise<T> {
    if (this.#left) throw failure("CONNECTION");
    return new Promise<T>((resolve, reject) => {
      this.#heard.asks({ statement, resolve: resolve as Pending["resolve"], reject });
    });
  }

  lose(pending: Pending | null): void {
    this.destroy();
    pending?.reject(failure("CONNECTION"));
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.#left) return;
    this.#left = true;
    this.#heard.leaves();
  }
}

/** Waits until no promise is left to run: Node.js runs its ticks only then. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}
