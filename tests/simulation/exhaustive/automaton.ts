/**
 * A daemon as an automaton: what it waits for, and where each answer leads.
 *
 * The recorder is asynchronous code. It cannot be copied in the middle, so a search that returns to an earlier place would have to run
 * it again from its start. But a daemon depends only on what it is given: clock, timers and answers all come from `live.ts`. What it
 * does next is a function of that list. So each edge is learned once, by running the real daemon, and then looked up: a search runs
 * daemons some thousand times and follows edges some hundred thousand times.
 *
 * In the middle of something, a daemon's node is everything that it was given since it last waited at its bell. At its bell, or
 * while it waits after a failure, no function of it is suspended but the loop, and its node is all that it remembers
 * (`memory.ts`). This makes scopes finite: a daemon that polls and finds nothing returns to the same node.
 */
import { answerText, numberOf, ofAnswer } from "./digest.ts";
import { type Input, Live, type Make, type Output, type Wait } from "./live.ts";
import { Opaque } from "./memory.ts";

export type Node = {
  readonly id: number;
  readonly wait: Wait;
  /** The transactions whose names it may remember. */
  readonly names: ReadonlySet<string>;
  /** Answers since it last waited at its bell. */
  readonly given: number;
  /** What led here first. */
  readonly from: { readonly node: Node; readonly input: Input } | null;
  readonly edges: Map<number | string, Edge>;
};

export type Edge = { readonly outputs: readonly Output[]; readonly to: Node };

/** Paused daemons that are kept for reuse. */
const KEPT = 2000;

/** Answers between two waits at the bell: a daemon that needs more is in a loop. */
const MOST_GIVEN = 300;

export class GoesRound extends Error {
  constructor() {
    super("a daemon never returns to its bell");
  }
}

/** Names of transactions in the search. */
const NAMES = /tx:[\w:]+/g;

export class Automaton {
  /** Which part of a daemon's memory could not be read last. */
  opaque: string | null = null;
  readonly #make: Make;
  #nodes = 0;
  readonly #byMemory = new Map<number, Node>();
  readonly #standing = new Map<Node, Live>();
  /** Objects that all daemons share: they hold no daemon's memory. */
  readonly #constants = new Set<unknown>();
  #first: Edge | null = null;

  constructor(make: Make) {
    this.#make = make;
  }

  /** A daemon that starts. */
  async start(): Promise<Edge> {
    if (this.#first !== null) return this.#first;
    const live = new Live(this.#make);
    const outputs = await live.start();
    this.#first = { outputs, to: await this.#arrive(live, null) };
    return this.#first;
  }

  /** Where an input leads; undefined where that has not been learned. */
  known(node: Node, input: Input): Edge | undefined {
    return node.edges.get(keyOf(input));
  }

  async learn(node: Node, input: Input): Promise<Edge> {
    const live = await this.at(node);
    this.#standing.delete(node);
    const outputs = await live.give(input);
    const edge = { outputs, to: await this.#arrive(live, { node, input }) };
    node.edges.set(keyOf(input), edge);
    return edge;
  }

  /** A paused daemon at this node. Giving it anything moves it to another one. */
  async at(node: Node): Promise<Live> {
    const standing = this.#standing.get(node);
    if (standing !== undefined) return standing;
    const live = await this.#rerun(node.from);
    this.#stand(node, live);
    return live;
  }

  async #rerun(from: Node["from"]): Promise<Live> {
    const inputs: Input[] = [];
    for (let at = from; at !== null; at = at.node.from) inputs.push(at.input);
    const live = new Live(this.#make);
    await live.start();
    for (const input of inputs.toReversed()) await live.give(input);
    return live;
  }

  async #arrive(live: Live, from: Node["from"]): Promise<Node> {
    const { wait } = live;
    const idle = wait.for === "bell" || wait.for === "time";
    const memory = idle && this.#make.apart !== true ? await this.#memory(live, from) : null;
    const place = memory === null ? null : numberOf(memory);
    const met = place === null ? undefined : this.#byMemory.get(place);
    const node = met ?? {
      id: this.#nodes,
      wait,
      given: idle || from === null ? 0 : counted(from.node.given + 1),
      names: memory === null ? namesGiven(from) : namesIn(memory),
      from,
      edges: new Map(),
    };
    if (met === undefined) this.#nodes += 1;
    if (place !== null) this.#byMemory.set(place, node);
    this.#stand(node, live);
    return node;
  }

  /** What a daemon remembers; null where a part of it cannot be read. */
  async #memory(live: Live, from: Node["from"]): Promise<string | null> {
    let twin: Live | null = null;
    for (;;) {
      try {
        return live.memory(this.#constants);
      } catch (error) {
        if (!(error instanceof Opaque)) throw error;
        twin ??= await this.#rerun(from);
        if (!opaqueIn(twin, this.#constants).has(error.value)) {
          this.opaque = error.message;
          return null;
        }
        this.#constants.add(error.value);
      }
    }
  }

  #stand(node: Node, live: Live): void {
    this.#standing.delete(node);
    this.#standing.set(node, live);
    if (this.#standing.size <= KEPT) return;
    const [oldest] = this.#standing.keys();
    if (oldest !== undefined) this.#standing.delete(oldest);
  }
}

function counted(given: number): number {
  if (given > MOST_GIVEN) throw new GoesRound();
  return given;
}

function keyOf(input: Input): number | string {
  switch (input.gives) {
    case "answer":
      return ofAnswer(input.value);
    case "error":
      return `error ${input.error.name}`;
    case "wake-up":
      return `wake-up ${input.ms}`;
    case "loss":
    case "time":
    case "stop":
      return input.gives;
  }
}

function opaqueIn(live: Live, constants: ReadonlySet<unknown>): ReadonlySet<unknown> {
  const opaque = new Set<unknown>();
  for (;;) {
    try {
      live.memory(constants.union(opaque));
      return opaque;
    } catch (error) {
      if (!(error instanceof Opaque)) throw error;
      opaque.add(error.value);
    }
  }
}

const NONE: ReadonlySet<string> = new Set();

function namesGiven(from: Node["from"]): ReadonlySet<string> {
  if (from === null) return NONE;
  const before = from.node.names;
  if (from.input.gives !== "answer") return before;
  const given = namesIn(answerText(from.input.value));
  return given.size === 0 ? before : before.union(given);
}

function namesIn(text: string): ReadonlySet<string> {
  return text.includes("tx:") ? new Set(text.match(NAMES)) : NONE;
}
