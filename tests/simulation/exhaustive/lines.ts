/**
 * What daemons read while nothing is written: one line for each daemon, because between two writes the server answers alike.
 *
 * # The partial-order reduction
 *
 * Most accesses change nothing, and those of different daemons commute. Let r be a daemon's read and w another session's next change.
 * If r returns the same after w as before, then "r, w" and "w, r" lead to the same place, and only "w, r" is explored. Whether it does
 * is not derived from what r reads: r is run on the server's state after w, and the answers are compared.
 *
 * This loses nothing. Take any schedule and exchange "r, w" for "w, r" wherever they commute; reads of others in between commute with
 * r anyway. Each exchange removes one pair of a read before a change, so this ends, in a schedule to the same place in which no read
 * can be postponed. That one is explored. So between two changes, each daemon either has read nothing or has stopped after a read
 * whose answer the change would have changed.
 *
 * A daemon that dies loses what it read, so it dies before it reads, or with a statement under way.
 */
import type { Now } from "../server.ts";
import { numberOf, ofAnswer, ofServer } from "./digest.ts";
import type { Input } from "./live.ts";
import { type DaemonPlace, daemonKey, type Place } from "./place.ts";
import type { Said, Space } from "./space.ts";

/** An access that changes nothing. */
type Read = {
  /** The daemon as it asks. */
  readonly asking: DaemonPlace;
  readonly given: number;
  /** The index of the place to which the answer leads. */
  readonly to: number;
};

export type Line = {
  /** The daemon after each read. */
  readonly places: readonly DaemonPlace[];
  readonly reads: readonly Read[];
  readonly said: readonly Said[];
  /** What comes next: a write, the lock, a place of this line again, or nothing because the daemon has failed. */
  readonly end: "writes" | "waits" | "again" | "failed";
};

/** Lines and answers that are cached. */
const MOST = 100_000;

const MOST_PLACES = 400;

export class Lines {
  readonly #space: Space;
  readonly #lines = new Map<string, Line>();
  readonly #readings = new Map<string, number>();

  constructor(space: Space) {
    this.#space = space;
  }

  async line(place: Place, index: number): Promise<Line> {
    const daemon = place.daemons[index] as DaemonPlace;
    const key = `${ofServer(place.now)}|${daemonKey(daemon)}@${daemon.session}`;
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = await this.#readOn(place, index);
      if (this.#lines.size >= MOST) this.#lines.clear();
      this.#lines.set(key, line);
    }
    return line;
  }

  /** Whether a read returns something else after a change. */
  depends({ asking, given }: Read, after: Now): boolean {
    const key = `${ofServer(after)}|${daemonKey(asking)}@${asking.session}`;
    let reading = this.#readings.get(key);
    if (reading === undefined) {
      const { server } = this.#space;
      server.now = after;
      reading = ofOutcome(this.#space.readFrom(asking));
      if (this.#readings.size >= MOST) this.#readings.clear();
      this.#readings.set(key, reading);
    }
    return reading !== given;
  }

  async #readOn(place: Place, index: number): Promise<Line> {
    const before = ofServer(place.now);
    const places = [place.daemons[index] as DaemonPlace];
    const keys = places.map(daemonKey);
    const reads: Read[] = [];
    const said: Said[] = [];
    for (let at = place; places.length < MOST_PLACES; ) {
      const here = places.at(-1) as DaemonPlace;
      if (here.node.wait.for === "failure") return { places, reads, said, end: "failed" };
      const asking = await this.#space.asking(at, index);
      const to = await this.#space.follow(at, `d${index}`);
      const there = to.daemons[index] as DaemonPlace;
      if (there === here) return { places, reads, said, end: "waits" };
      if (ofServer(to.now) !== before || to.orphans.length > place.orphans.length)
        return { places, reads, said, end: "writes" };
      said.push(...this.#space.said);
      this.#space.server.now = place.now;
      const given = ofOutcome(this.#space.readFrom(asking));
      const key = daemonKey(there);
      const met = there.session === here.session ? keys.indexOf(key) : -1;
      reads.push({ asking, given, to: met < 0 ? places.length : met });
      if (met >= 0) return { places, reads, said, end: "again" };
      places.push(there);
      keys.push(key);
      at = standing(place, index, there);
    }
    const { opaque } = this.#space.automaton;
    throw new Error(
      `a daemon remembers more with each poll, see memory.ts${opaque === null ? "" : `: ${opaque}`}`,
    );
  }
}

function ofOutcome(given: Input): number {
  return given.gives === "answer" ? ofAnswer(given.value) : numberOf(given.gives);
}

/** The place with this daemon in another state. */
export function standing(place: Place, index: number, daemon: DaemonPlace): Place {
  return place.daemons[index] === daemon ? place : { ...place, daemons: place.daemons.with(index, daemon) };
}
