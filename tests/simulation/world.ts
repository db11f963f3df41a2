/**
 * One schedule: orchestrators, incidents and real daemons on one simulated log, under one scheduler.
 *
 * First the safety phase: everything may happen, in any order. Then the faults are off and the liveness phase begins:
 * all that is committed must be recorded, and every memory must equal the log.
 */
import type { Scheduler } from "fast-check";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import { DatabaseFailure } from "../../src/outbox/outbox-log.ts";
import { Bell } from "../../src/recorder/bell.ts";
import { Daemon, type DaemonSettings } from "../../src/recorder/daemon.ts";
import { happen, type Running } from "./incidents.ts";
import { claimOf, Judge } from "./judge.ts";
import { CONFIGURATIONS, Violation } from "./judged-log.ts";
import { type LogClass, SimulatedLog } from "./log.ts";
import { nameOf, Orchestrator } from "./orchestrator.ts";
import type { Kind, Scenario } from "./scenario.ts";
import { EMPTY, Server, type State, type Versions } from "./server.ts";
import { passes, VirtualTime } from "./virtual-time.ts";
import { type Fault, SimulatedChannel } from "./wire.ts";

export type Options = {
  readonly kind: Kind["name"];
  /** The connection's class: a mutant, or the real thing. */
  readonly log?: LogClass;
  /** Takes the place of the daemon. */
  readonly daemon?: DaemonFactory;
  /** What the log holds at the beginning. */
  readonly begins?: State;
  readonly trace?: (line: string) => void;
};

export type DaemonFactory = (
  settings: DaemonSettings,
  ports: ConstructorParameters<typeof Daemon>[1],
  bell: Bell,
  stop: AbortSignal,
) => Running["daemon"];

const DAEMON_SETTINGS: Pick<DaemonSettings, "pollIntervalMs" | "backoff"> = {
  pollIntervalMs: 1_000,
  backoff: { firstMs: 100, capMs: 1_000 },
};
const AUDIT_INTERVAL_MS = 4_000;
/** Where the scan must find every merge by itself, the log is compared at each start only. */
const NEVER_MS = 1e12;
/**
 * Within this much virtual time everything must have converged after the faults are off. Generous, as a comparison that
 * was slow when time still passed at random puts off the next one.
 */
const CONVERGES_WITHIN_MS = 300_000;
const MOST_STEPS = 50_000;

export type Outcome = { readonly steps: number; readonly state: State };

/** @throws Violation */
export async function simulate(scheduler: Scheduler, scenario: Scenario, options: Options): Promise<Outcome> {
  const world = new World(scheduler, scenario, options);
  return world.run();
}

class World {
  #steps = 0;
  readonly #scheduler: Scheduler;
  readonly #scenario: Scenario;
  readonly #options: Options;
  readonly #time = new VirtualTime();
  readonly #server: Server;
  readonly #judge: Judge;
  /** What daemons may say. */
  readonly #committed = new Set<string>();
  readonly #daemons: Running[] = [];
  /** With those that have been asked to stop, or killed, and go on for a while. */
  readonly #alive = new Set<Running>();
  readonly #faults: Map<number, Fault>;
  #statements = 0;
  #started = 0;
  /** Who is in the middle of something, beside the daemons. */
  #busy = 0;
  /** Daemons that have not ended yet. */
  #running = 0;
  #failure: unknown = null;
  /** In the liveness phase time passes only when nobody has anything to do: the server is quick. */
  #calm = false;
  /** Whether time waits for its turn to pass. */
  #ticking = false;

  constructor(scheduler: Scheduler, scenario: Scenario, options: Options) {
    this.#scheduler = scheduler;
    this.#scenario = scenario;
    this.#options = options;
    const begins = options.begins ?? EMPTY;
    const items = new Map<string, Versions>(begins.items);
    scenario.items.forEach((facts, index) => items.set(nameOf(index), [facts]));
    this.#server = new Server({ ...begins, items }, { cache: scenario.cache });
    this.#judge = new Judge(this.#server, options.kind, (claim) => this.#committed.has(claim));
    this.#faults = new Map(scenario.faults.map(({ statement, fault }) => [statement, fault]));
  }

  async run(): Promise<Outcome> {
    passes(this.#time);
    await breathe();
    const { daemons, orchestrators, incidents } = this.#scenario;
    for (let index = 0; index < daemons; index += 1) this.#start();
    const clients = orchestrators.map((works, index) => {
      const notify = (): void => this.#daemons.forEach(({ bell }) => bell.ring());
      const client = new Orchestrator(`orchestrator ${index}`, this.#server, this.#step, notify);
      this.#background(client.run(works));
      return client;
    });
    this.#background(this.#incidents(incidents));
    while (this.#busy > 0) await this.#next();
    this.#faults.clear();
    this.#calm = true;
    await this.#converge();
    if (clients.some((client) => client.holds)) {
      this.#options.trace?.("-- what was held open is committed now");
      for (const client of clients) this.#background(client.letGo());
      while (this.#busy > 0) await this.#next();
      await this.#converge();
    }
    for (const { stop } of this.#daemons) stop.abort();
    while (this.#running > 0) await this.#next();
    this.#judge.judgeLog();
    return { steps: this.#steps, state: this.#server.state };
  }

  readonly #step = async (label: string): Promise<void> => {
    // Without the label: the scheduler would write down each of them.
    await this.#scheduler.schedule(Promise.resolve());
    this.#options.trace?.(label);
  };

  /** Lets one of those who wait go on, or lets time pass to the next timer. */
  async #next(): Promise<void> {
    this.#steps += 1;
    if (this.#steps > MOST_STEPS) throw new Violation("it does not come to an end");
    if (!this.#calm && !this.#ticking) void this.#tick();
    if (this.#scheduler.count() === 0) this.#time.tick();
    else await this.#scheduler.waitOne();
    // Whoever went on comes to its next wait: nothing but promises is between the two.
    await settled();
    if (this.#failure !== null) throw this.#failure;
  }

  async #tick(): Promise<void> {
    this.#ticking = true;
    await this.#step("time passes");
    this.#ticking = false;
    this.#time.tick();
  }

  #background(work: Promise<unknown>): void {
    this.#busy += 1;
    work.then(
      () => (this.#busy -= 1),
      (error: unknown) => (this.#failure ??= error),
    );
  }

  async #converge(): Promise<void> {
    const deadline = this.#time.now + CONVERGES_WITHIN_MS;
    for (;;) {
      await this.#next();
      // Only when nobody has anything to do.
      if (this.#scheduler.count() > 0) continue;
      const open = this.#judge.notYetConverged(this.#daemons.map(({ name, daemon }) => ({ name, daemon })));
      if (open === null) return this.#judge.judgeLog();
      if (this.#time.now > deadline) {
        this.#judge.judgeLog();
        throw new Violation(`no convergence: ${open}`);
      }
    }
  }

  #start(): void {
    this.#started += 1;
    const name = `daemon ${this.#started}`;
    const { configurations } = this.#scenario;
    const { settings: metrics, producer } = CONFIGURATIONS[
      configurations[this.#started % configurations.length] as number
    ] as (typeof CONFIGURATIONS)[number];
    const stop = new AbortController();
    const bell = new Bell();
    const channels: SimulatedChannel[] = [];
    const report = (event: DaemonEvent): void => {
      this.#options.trace?.(`${name}: = ${JSON.stringify(event)}`);
      try {
        this.#judge.told(event);
      } catch (error) {
        this.#failure ??= error;
      }
    };
    const clock = { monotonic: () => this.#time.now, now: () => new Date(this.#time.now), random: () => 0.5 };
    const open = async (): Promise<SimulatedLog> => {
      await this.#step(`${name}: connect`);
      if (this.#nextFault() !== null || stop.signal.aborted)
        throw new DatabaseFailure({ code: "ECONNREFUSED", message: "no connection" });
      const chance = { step: this.#step, nextFault: this.#nextFault };
      const channel = new SimulatedChannel(this.#server, chance, name);
      channels.push(channel);
      return new (this.#options.log ?? SimulatedLog)({
        server: this.#server,
        channel,
        pageRows: this.#scenario.pageRows,
        cached: this.#scenario.cache > 1,
        committed: (rows) => rows.forEach((row) => this.#committed.add(claimOf(row))),
      });
    };
    const create: DaemonFactory = this.#options.daemon ?? ((...all) => new Daemon(...all));
    const auditIntervalMs = this.#options.kind === "exact" ? NEVER_MS : AUDIT_INTERVAL_MS;
    const daemon = create(
      { ...DAEMON_SETTINGS, metrics, producer, auditIntervalMs },
      { open, report, clock },
      bell,
      stop.signal,
    );
    const running = { name, daemon, bell, stop, channels };
    this.#daemons.push(running);
    this.#alive.add(running);
    this.#running += 1;
    daemon
      .run()
      .finally(() => this.#alive.delete(running))
      .then(
        () => (this.#running -= 1),
        (error: unknown) => (this.#failure ??= error),
      );
  }

  readonly #nextFault = (): Fault | null => {
    this.#statements += 1;
    return this.#faults.get(this.#statements) ?? null;
  };

  async #incidents(incidents: Scenario["incidents"]): Promise<void> {
    for (const { after, incident } of incidents) {
      for (let steps = 0; steps < after; steps += 1) await this.#step("(an incident is on its way)");
      this.#options.trace?.(`-- ${JSON.stringify(incident)}`);
      await happen(incident, {
        server: this.#server,
        judge: this.#judge,
        time: this.#time,
        daemons: this.#daemons,
        alive: this.#alive,
        start: () => this.#start(),
        step: this.#step,
      });
    }
  }
}

/** Until no promise has anything left to do: Node.js takes up its ticks only then. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

const { setImmediate: immediate } = globalThis;

/** Lets the event loop turn, which ticks alone keep from it: others in this process have something to say as well. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    immediate(resolve);
  });
}
