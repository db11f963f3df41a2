/** The plan of faults: which, when, on whom and for how long, decided by the seed alone. */
import { deck, mulberry32 } from "../demo/random.ts";

/** Faults of one daemon or its network. */
const LOCAL_FAULTS = [
  "kill",
  "pause",
  "terminate",
  "disconnect",
  "blackhole",
  "crumbs",
  "slow",
  "commit cut before",
  "commit cut after",
  "commit unanswered",
] as const;

export type LocalFault = (typeof LOCAL_FAULTS)[number];
/** Faults of the server, hence of anybody. */
export type ServerFault = "backend killed" | "server crash" | "rewind" | "table locked" | "table rewritten";

/** Faults of all daemons at once. */
export type CommonFault = "all stopped";

export type Fault = {
  /** From the beginning of the run. */
  readonly atMs: number;
  readonly forMs: number;
} & (
  | { readonly kind: CommonFault }
  | { readonly kind: LocalFault; readonly daemon: number }
  | { readonly kind: ServerFault }
);

/** How often each comes, out of all. */
const CARDS: readonly (readonly [Fault["kind"], number])[] = [
  ["kill", 3],
  ["pause", 3],
  ["terminate", 2],
  ["disconnect", 3],
  ["blackhole", 4],
  ["crumbs", 2],
  ["slow", 2],
  ["commit cut before", 3],
  ["commit cut after", 4],
  ["commit unanswered", 2],
  ["backend killed", 4],
  ["server crash", 1],
  ["rewind", 1],
  ["table locked", 2],
  ["table rewritten", 1],
];

/** The longest that a fault of its kind lasts; half of it on average. */
const LASTS_MS: Readonly<Partial<Record<Fault["kind"], number>>> = {
  kill: 300,
  pause: 2_500,
  disconnect: 500,
  blackhole: 3_000,
  crumbs: 1_000,
  slow: 1_500,
  "server crash": 700,
  "table locked": 800,
  "all stopped": 1_500,
};
/** Only where something is to happen in the meantime. */
const STOPS: typeof CARDS = [["all stopped", 3]];
/** Storms, and in between what merges are like on an ordinary day: both have faults of their own to show. */
const STORM = { forMs: 9_000, gapMs: 280 };
const LULL = { forMs: 6_000, gapMs: 1_500 };
/** The load gets going first. */
const FIRST_MS = 1_000;

/** @param stops whether all daemons are stopped now and then. */
export function planFaults(seed: number, seconds: number, daemons: number, stops: boolean): Fault[] {
  const random = mulberry32(seed);
  const nextKind = deck(random, stops ? [...CARDS, ...STOPS] : CARDS);
  const plan: Fault[] = [];
  for (let atMs = FIRST_MS; atMs < seconds * 1_000; atMs += Math.round(2 * gapAt(atMs) * random())) {
    const kind = nextKind();
    const forMs = Math.round((LASTS_MS[kind] ?? 0) * random());
    const daemon = Math.floor(random() * daemons);
    plan.push(isLocal(kind) ? { atMs, forMs, kind, daemon } : { atMs, forMs, kind });
  }
  return plan;
}

function gapAt(atMs: number): number {
  return (atMs % (STORM.forMs + LULL.forMs) < STORM.forMs ? STORM : LULL).gapMs;
}

function isLocal(kind: Fault["kind"]): kind is LocalFault {
  return (LOCAL_FAULTS as readonly string[]).includes(kind);
}
