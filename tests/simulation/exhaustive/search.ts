/**
 * Which places were visited, and which one comes next: the one with the fewest preemptions, then the nearest. So the first violation
 * that is found is one of the shortest.
 *
 * # Bounds
 *
 * A scope with too many states is searched by preemptions: first all schedules in which whatever has begun runs to its end (a daemon
 * to its bell or to a lock that is taken, an orchestrator to the end of its transaction), then those with one interruption, and so on,
 * up to a number of states. The result is called bounded, by the last number of preemptions that was completed.
 */
import { ofRest } from "./digest.ts";
import { keyOf, type Place } from "./place.ts";
import type { Happening, Space } from "./space.ts";

/** Daemons have read on, and then something happens. */
export type Step = {
  readonly happens: Happening;
  /** For each daemon: how much it has read before. */
  readonly reads: readonly number[];
  readonly to: Place;
};

export function namesOf({ reads, happens }: Step): string[] {
  const read = reads.flatMap((count, index) => Array.from({ length: count }, () => `d${index}`));
  return [...read, happens.name];
}

type Reached = {
  readonly number: number;
  readonly place: Place;
  readonly cost: number;
  readonly depth: number;
  /** Whose step was the last one, where the search is bounded. */
  readonly last: string;
};

export class Search {
  depth = 0;
  preemptions = -1;
  /** Null where the search is not bounded. */
  readonly #space: Space | null;
  readonly #numbers = new Map<string, number>();
  /** By the number of a place: the place before, what happened in between, and the preemptions until then. */
  readonly #before: number[] = [];
  readonly #names: (readonly string[])[] = [];
  readonly #costs: number[] = [];
  /** By cost: places whose steps are not known yet. */
  readonly #open: (Reached | null)[][] = [];
  /** Steps, as pairs: from which place, to which place. */
  readonly #links: number[] = [];
  readonly #ends: number[] = [];
  /** The log at some ends: the first, the second, the fourth and so on. */
  readonly samples = new Map<number, string>();
  #cost = 0;
  #at = 0;

  constructor(space: Space | null) {
    this.#space = space;
  }

  get states(): number {
    return this.#costs.length;
  }

  /** Whether every place was visited. */
  get isThrough(): boolean {
    return this.#open.length === 0;
  }

  begin(place: Place, names: readonly string[]): void {
    this.#reach({ place, cost: 0, depth: 0, last: "" }, -1, () => names);
  }

  found(from: Reached, { happens, reads, to }: Step, names: () => readonly string[]): void {
    const who = happens.befalls ? from.last : happens.name;
    const cost = this.#space === null ? 0 : from.cost + preemptionsIn(from, happens, reads);
    const last = this.#space?.isInTheMiddle(to, who) === true ? who : "";
    this.#reach({ place: to, cost, depth: from.depth + 1, last }, from.number, names);
  }

  /** The next place; null where none is left. */
  next(): Reached | null {
    for (;;) {
      const open = this.#open[this.#cost];
      const next = open?.[this.#at];
      if (next !== undefined && open !== undefined) {
        // The place itself is no longer needed.
        open[this.#at] = null;
        this.#at += 1;
        if (next !== null && this.#costs[next.number] === next.cost) return next;
        continue;
      }
      if (this.#cost >= this.#open.length - 1) {
        this.#open.length = 0;
        return null;
      }
      this.preemptions = this.#cost;
      this.#open[this.#cost] = [];
      this.#cost += 1;
      this.#at = 0;
    }
  }

  /** This place is an end. */
  ends({ number, place }: Reached): void {
    this.#ends.push(number);
    const count = this.#ends.length;
    if ((count & (count - 1)) === 0) this.samples.set(number, ofRest(place.now));
  }

  /** Paths from the beginning to an end, or to a place that was not visited; null where paths contain cycles. */
  schedules(): number | null {
    const onwards = linked(this.#links, 0);
    const ways: number[] = [];
    const onTheWay = new Set<number>();
    for (const open = [0]; open.length > 0; ) {
      const number = open.at(-1) as number;
      const next = onwards.get(number) ?? [];
      if (ways[number] === undefined && !onTheWay.has(number)) {
        onTheWay.add(number);
        for (const to of next) {
          if (onTheWay.has(to)) return null;
          if (ways[to] === undefined) open.push(to);
        }
        continue;
      }
      open.pop();
      onTheWay.delete(number);
      ways[number] ??= next.length === 0 ? 1 : next.reduce((sum, to) => sum + (ways[to] ?? 0), 0);
    }
    return ways[0] ?? 0;
  }

  /** A place from which no end can be reached; null where none is. Places that were not visited may lead to one. */
  endless(): number | null {
    const leadsToAnEnd = new Uint8Array(this.states);
    const backwards = linked(this.#links, 1);
    const unknown = this.#open.flatMap((open) => open.flatMap((one) => one?.number ?? []));
    for (const open = [...this.#ends, ...unknown]; open.length > 0; ) {
      const number = open.pop() as number;
      if (leadsToAnEnd[number] === 1) continue;
      leadsToAnEnd[number] = 1;
      open.push(...(backwards.get(number) ?? []));
    }
    const endless = leadsToAnEnd.indexOf(0);
    return endless < 0 ? null : endless;
  }

  wayTo(number: number): string[] {
    const names: (readonly string[])[] = [];
    for (let at = number; at >= 0 && at < this.#names.length; at = this.#before[at] as number)
      names.push(this.#names[at] as readonly string[]);
    return names.toReversed().flat();
  }

  #reach(reached: Omit<Reached, "number">, before: number, names: () => readonly string[]): void {
    const key = keyOf(reached.place, reached.last);
    const known = this.#numbers.get(key);
    if (before >= 0) this.#links.push(before, known ?? this.#costs.length);
    if (known !== undefined && (this.#costs[known] as number) <= reached.cost) return;
    const number = known ?? this.#costs.length;
    this.#numbers.set(key, number);
    this.#costs[number] = reached.cost;
    this.#before[number] = before;
    this.#names[number] = names();
    if (reached.depth > this.depth) this.depth = reached.depth;
    for (let cost = this.#open.length; cost <= reached.cost; cost += 1) this.#open.push([]);
    this.#open[reached.cost]?.push({ ...reached, number });
  }
}

/** @param by 0: where links lead from each place. 1: where links to it come from. */
function linked(links: readonly number[], by: 0 | 1): ReadonlyMap<number, readonly number[]> {
  const all = new Map<number, number[]>();
  for (let link = 0; link < links.length; link += 2) {
    const key = links[link + by] as number;
    const others = all.get(key);
    const other = links[link + 1 - by] as number;
    if (others === undefined) all.set(key, [other]);
    else others.push(other);
  }
  return all;
}

/** Counts interruptions: daemons that have read and do not continue, and the last one to act if it is in the middle of something. */
function preemptionsIn(from: Reached, happens: Happening, reads: readonly number[]): number {
  const interrupted = new Set(
    reads.flatMap((read, index) => (read > 0 && index !== happens.daemon ? [`d${index}`] : [])),
  );
  if (!happens.befalls && from.last !== "" && from.last !== happens.name) interrupted.add(from.last);
  return interrupted.size;
}
