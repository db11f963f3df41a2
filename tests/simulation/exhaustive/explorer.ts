/**
 * Explores every schedule of a small scope: the real daemons on the simulated server, in every order of their steps, the
 * orchestrators' and the server's, with every fault of the scope at every moment.
 *
 * # The search
 *
 * A place (`place.ts`) is one state of the whole system. `space.ts` lists what may happen next in a place and computes where it
 * leads. The search follows all of it from every place that it has not visited, the nearest first (`search.ts`). It uses no clock
 * and no randomness.
 *
 * - After each step the log is judged (G1, G2, order, gates), and so is everything that a daemon reports.
 * - An end is a place where daemons only poll and find what they know. There everything must be recorded and every memory must
 *   equal the log (G3, G4). Where something is still open, up to `ROUNDS` poll intervals pass, for retries; then it is a violation.
 * - A deadlock, a daemon that never returns to its bell, and a place from which no end can be reached are violations.
 *
 * Each piece explains one idea: `automaton.ts` why a daemon need not be run again for each schedule, `place.ts` when two places are
 * the same, `lines.ts` the partial-order reduction, `search.ts` preemption bounds.
 *
 * To check these ideas, every second, fourth, eighth … end is reached once more by daemons that run from their start and are never
 * merged with others: the log must be the same, and clean.
 *
 * # Rejected
 *
 * - Running each schedule from a fresh world (stateless model checking): 4 ms each, for scopes of 10⁵ states.
 * - Dynamic partial-order reduction: it prunes by conflicts that are found later, which needs summaries where states are visited
 *   again. Here a conflict is simply tried, and each daemon has one line of reads between two changes.
 * - Conflicts by what a statement reads: a poll would conflict with every commit, even where its answer stays the same.
 * - A daemon's place by its answers alone: an idle daemon would never return to an earlier place. Two merges had over 3,600,000.
 * - Polls only after notifications: here a daemon may poll at any moment, as often as it likes.
 *
 * # Not covered
 *
 * Time stands still while a scope is explored, except at ends: what waits for minutes is left to the random simulation. A daemon
 * that waits at its bell does not notice that its connection is lost. The server is the simulated one; `reality.pg.test.ts`
 * compares it with PostgreSQL.
 */
import { claimOf, Judge } from "../judge.ts";
import { Violation } from "../judged-log.ts";
import { isRecord } from "../rows.ts";
import type { State } from "../server.ts";
import { type Edge, GoesRound } from "./automaton.ts";
import { ofRest, ofState } from "./digest.ts";
import { type Line, Lines, standing } from "./lines.ts";
import { type DaemonPlace, keyOf, type Place } from "./place.ts";
import type { Scope } from "./scopes.ts";
import { namesOf, Search, type Step } from "./search.ts";
import { type Happening, type Made, type Said, Space } from "./space.ts";

export type Explored = {
  readonly states: number;
  /** Steps that were followed. */
  readonly turns: number;
  /** The steps to the state that is farthest from the beginning. */
  readonly depth: number;
  readonly ends: number;
  /** Paths from the beginning to an end; null where a violation was found, or where paths contain cycles. */
  readonly schedules: number | null;
  /** Null: all schedules. Otherwise all with at most so many preemptions. */
  readonly preemptions: number | null;
  readonly failure: Failure | null;
};

export type Failure = { readonly message: string; readonly schedule: readonly string[] };

/** Poll intervals that may pass at an end until everything is recorded. */
const ROUNDS = 12;
/** Steps until all daemons wait at their bells, if no fault occurs. */
const MOST_STEPS = 1_000;

export class Explorer {
  readonly space: Space;
  readonly #scope: Scope;
  readonly #made: Made;
  readonly #lines: Lines;
  readonly #judge: Judge;
  readonly #judged = new Set<number>();
  /** By what a daemon did: the states of the log in which its reports were judged. */
  readonly #heard = new Map<Edge, Set<number>>();
  readonly #ended = new Set<string>();
  /** Whether the place whose steps were computed last is an end. */
  #isEnd = false;
  /** What was tried last, from the place whose steps are being computed. */
  #tried: string[] = [];

  constructor(scope: Scope, made: Made = {}) {
    this.#scope = scope;
    this.#made = made;
    this.space = new Space(scope, made);
    this.#lines = new Lines(this.space);
    const { server } = this.space;
    this.#judge = new Judge(server, scope.kind, (claim) => {
      const { rows, gone } = server.state;
      return server.wentBack || [...rows, ...gone].some((row) => isRecord(row) && claimOf(row) === claim);
    });
  }

  /** Searches until all places are visited, a violation is found, or so many places are reached. */
  async explore(most: number): Promise<Explored> {
    const search = new Search(this.#scope.bounded === true ? this.space : null);
    let turns = 0;
    let failure: Failure | null = null;
    let at = 0;
    try {
      const first = await this.first();
      search.begin(first, this.#tried);
      while (search.states < most) {
        const next = search.next();
        if (next === null) break;
        at = next.number;
        for await (const step of this.#steps(next.place)) {
          turns += 1;
          search.found(next, step, () => namesOf(step));
        }
        if (this.#isEnd) search.ends(next);
      }
      this.#tried = [];
      at = search.endless() ?? 0;
      if (at > 0) throw new Violation("no end can be reached from here");
      for (const [number, rest] of search.samples) await this.#compare(search.wayTo(number), rest);
    } catch (error) {
      if (!(error instanceof Violation || error instanceof GoesRound)) throw error;
      failure = { message: error.message, schedule: [...search.wayTo(at), ...this.#tried] };
    }
    return {
      states: search.states,
      turns,
      depth: search.depth,
      ends: this.#ended.size,
      schedules: failure === null ? search.schedules() : null,
      preemptions: search.isThrough ? null : search.preemptions,
      failure,
    };
  }

  /** Replays a schedule with daemons that are never merged: the log must be the same. */
  async #compare(schedule: readonly string[], rest: string): Promise<void> {
    const { place, violation } = await this.replay(schedule);
    if (violation !== null)
      throw new Error(`a clean schedule is not when it is replayed: ${violation}\n${schedule.join(" ")}`);
    if (ofRest(place.now) !== rest)
      throw new Error(`a schedule leads to another log when it is replayed\n${schedule.join(" ")}`);
  }

  /** Where a search begins: daemons start, or already wait at their bells. */
  async first(): Promise<Place> {
    this.#tried = [];
    const place = await this.space.first();
    this.#hear(place);
    return this.#scope.ready ? this.#rest(place, []) : place;
  }

  /** What is visible after this schedule, once all daemons wait at their bells. @throws Violation */
  async state(schedule: readonly string[]): Promise<State> {
    let place = await this.first();
    for (const name of schedule) place = await this.#follow(place, name);
    return (await this.#rest(place)).now.state;
  }

  /**
   * Runs one schedule, and then on to its end, with daemons that run from their start and are never merged with others.
   * @param heard is called after each step.
   * @returns where it leads, and the violation that it shows.
   */
  async replay(
    schedule: readonly string[],
    heard: (space: Space, before: Place, name: string, after: Place) => void = () => undefined,
  ): Promise<{ readonly place: Place; readonly violation: string | null }> {
    const apart = new Explorer(this.#scope, { ...this.#made, apart: true });
    let place = await apart.space.first();
    try {
      for (const name of schedule) {
        const before = place;
        place = await apart.space.follow(before, name);
        heard(apart.space, before, name, place);
        apart.#judgeAt(place);
      }
      return { place, violation: await apart.#openInTheEnd(place) };
    } catch (error) {
      if (!(error instanceof Violation || error instanceof GoesRound)) throw error;
      return { place, violation: error.message };
    }
  }

  /** What is still wrong after some poll intervals; null where nothing is. */
  async #openInTheEnd(place: Place): Promise<string | null> {
    let at = place;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let turn = this.space.turns(at)[0]; turn !== undefined; turn = this.space.turns(at)[0])
        at = await this.#follow(at, turn.name);
      for (let index = 0; index < at.daemons.length; index += 1) {
        const waitsForBell = (): boolean => at.daemons[index]?.node.wait.for === "bell";
        if (waitsForBell()) at = await this.#follow(at, `t${index}:1000`);
        let before: Place | null = null;
        for (let steps = 0; !waitsForBell() && before?.daemons[index] !== at.daemons[index]; steps += 1) {
          if (steps > MOST_STEPS) return `daemon ${index + 1} never returns to its bell`;
          before = at;
          at = await this.#follow(at, `d${index}`);
        }
      }
    }
    return this.#open(at);
  }

  async *#steps(place: Place): AsyncGenerator<Step> {
    const lines = await this.#linesFrom(place);
    const next = this.#next(place, lines);
    this.#isEnd = next.every(({ happens }) => happens.befalls);
    if (this.#isEnd) await this.#end(place, lines);
    for (const { happens, read, from } of next) {
      this.#tried = Array.from({ length: read }, () => `d${happens.daemon}`);
      const to = await this.#follow(from, happens.name);
      yield* this.#stops(lines, happens, read, to);
    }
  }

  async #linesFrom(place: Place): Promise<Line[]> {
    const lines: Line[] = [];
    for (let index = 0; index < place.daemons.length; index += 1) {
      this.#tried = [];
      const line = await this.#lines.line(place, index);
      this.#tried = line.reads.map(() => `d${index}`);
      this.#hear(place, line.said);
      lines.push(line);
    }
    return lines;
  }

  /** What may happen next, and how much the daemon concerned has read before. */
  #next(
    place: Place,
    lines: readonly Line[],
  ): { readonly happens: Happening; readonly read: number; readonly from: Place }[] {
    const { space } = this;
    const ofOthers = [...space.turns(place), ...space.befallServer(place)];
    return [
      ...ofOthers.map((happens) => ({ happens, read: 0, from: place })),
      ...lines.flatMap(({ places, end }, index) =>
        places.flatMap((at, read) => {
          const from = standing(place, index, at);
          const writes = end === "writes" && read === places.length - 1;
          const turn = writes ? [{ name: `d${index}`, daemon: index, befalls: false }] : [];
          return [...turn, ...space.befallDaemon(from, index, read > 0, writes)].map((happens) => ({
            happens,
            read,
            from,
          }));
        }),
      ),
    ];
  }

  /** Each of the other daemons has read nothing, or something that would read differently afterwards. */
  *#stops(lines: readonly Line[], happens: Happening, read: number, to: Place): Generator<Step> {
    let all: { readonly reads: number[]; readonly to: Place }[] = [{ reads: [], to }];
    lines.forEach((line, index) => {
      const stops =
        index === happens.daemon
          ? []
          : line.reads.filter((one) => one.to > 0 && this.#lines.depends(one, to.now)).map((one) => one.to);
      const first = index === happens.daemon ? read : 0;
      all = all.flatMap((one) => [
        { reads: [...one.reads, first], to: one.to },
        ...[...new Set(stops)].map((stop) => ({
          reads: [...one.reads, stop],
          to: standing(one.to, index, line.places[stop] as DaemonPlace),
        })),
      ]);
    });
    for (const one of all) yield { happens, ...one };
  }

  /** Daemons only poll from here on: everything must be recorded, and every memory right. */
  async #end(place: Place, lines: readonly Line[]): Promise<void> {
    const key = keyOf(place);
    if (this.#ended.has(key)) return;
    this.#ended.add(key);
    this.#tried = [];
    if (lines.some(({ end }) => end === "waits"))
      throw new Violation("deadlock: a daemon waits for a lock that is never released");
    let at = await this.#rest(place);
    let open = await this.#open(at);
    for (let round = 0; open !== null && round < ROUNDS; round += 1) {
      for (let index = 0; index < at.daemons.length; index += 1)
        at = await this.#rest(await this.#follow(at, `t${index}:1000`));
      open = await this.#open(at);
    }
    if (open === null) return;
    // The steps since then are of no interest.
    this.#tried = [];
    throw new Violation(`no convergence: ${open}`);
  }

  /** Runs everything, one after the other, until all daemons wait at their bells. @param others who runs beside the daemons. */
  async #rest(place: Place, others?: readonly Happening[]): Promise<Place> {
    let at = place;
    for (let steps = 0; steps < MOST_STEPS; steps += 1) {
      let name = (others ?? this.space.turns(at))[0]?.name;
      for (let index = 0; name === undefined && index < at.daemons.length; index += 1) {
        const { places, end, said } = await this.#lines.line(at, index);
        this.#hear(at, said);
        const bell = places.findLastIndex(({ node }) => node.wait.for === "bell");
        if (end === "again" && bell < 0) throw new Violation(`daemon ${index + 1} fails again and again`);
        const reads = end === "again" ? bell : places.length - 1;
        for (let read = 0; read < reads; read += 1) this.#tried.push(`d${index}`);
        at = standing(at, index, places[reads] as DaemonPlace);
        if (end === "writes") name = `d${index}`;
      }
      if (name === undefined) return at;
      at = await this.#follow(at, name);
    }
    throw new Violation("daemons do not return to their bells, though no fault occurs");
  }

  /** @throws Violation */
  async #follow(place: Place, name: string): Promise<Place> {
    this.#tried.push(name);
    const to = await this.space.follow(place, name);
    this.#judgeAt(to);
    return to;
  }

  /** @throws Violation */
  #judgeAt(place: Place): void {
    this.#hear(place);
    const state = ofState(place.now.state);
    if (this.#judged.has(state)) return;
    this.#judged.add(state);
    this.#judge.judgeLog();
  }

  /** What daemons report must be true. @throws Violation */
  #hear({ now, daemons }: Place, said: readonly Said[] = this.space.said): void {
    this.space.server.now = now;
    const state = ofState(now.state);
    for (const { edge } of said) {
      const heard = this.#heard.get(edge) ?? new Set();
      this.#heard.set(edge, heard);
      if (heard.has(state)) continue;
      heard.add(state);
      for (const output of edge.outputs) if (output.does === "report") this.#judge.told(output.event);
      const { wait } = edge.to;
      if (wait.for === "failure") throw new Violation(`a daemon has ended: ${String(wait.error)}`);
    }
    if (daemons.some(({ node }) => node.wait.for === "failure")) throw new Violation("a daemon has ended");
  }

  /** What is still wrong at an end; null where nothing is. */
  async #open(place: Place): Promise<string | null> {
    const daemons: {
      readonly name: string;
      readonly daemon: Parameters<Judge["notYetConverged"]>[0][number]["daemon"];
    }[] = [];
    for (const [index, { node }] of place.daemons.entries())
      daemons.push({ name: `daemon ${index + 1}`, daemon: (await this.space.automaton.at(node)).daemon });
    this.space.server.now = place.now;
    return this.#judge.notYetConverged(daemons);
  }
}
