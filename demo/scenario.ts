/**
 * The demo's story as data: what the orchestrator does to its work items, transaction by transaction, indefinitely and
 * reproducibly from a seed. Pure: who plays it (`orchestrator.ts`) brings the clock and the database.
 *
 * Time is counted in merges: the k-th countable merge happens at k. Each item is planned backwards from its merge, so
 * that the order of merges is the order of the plan, however long an item's way was.
 */
import { deck, mulberry32, pick, type Random } from "./random.ts";

export type Phase = "spec" | "build" | "review" | "merged";
export type Mood = "good" | "bad";

export type WorkItem = {
  /** From 1; a name within the story, not the database's id. */
  readonly number: number;
  readonly project: string;
  readonly storyId: string;
  readonly fileScope: readonly string[];
};

/** One transaction: a transition's event and the update of its work item. The first one of an item creates it. */
export type Transaction = {
  /** When it begins, in merges. */
  readonly at: number;
  readonly item: WorkItem;
  readonly from: Phase | null;
  readonly target: Phase;
  /** Of the item from now on. */
  readonly attempts: number;
  readonly lastVerdict: string | null;
  /** A rolled back transition is tried again later. */
  readonly ending: "commit" | "rollback";
  /** Commits after so many that began later: its low event id becomes visible when higher ones are. 0: at once. */
  readonly overtakenBy: number;
  /** Whether the orchestrator tells anybody. */
  readonly notify: boolean;
  /** Whether this is a merge that counts: an item's first one, with usable facts. */
  readonly counts: boolean;
  readonly mood: Mood;
};

/** Merges in the windows of config/metrics.json that the stretches are made for. */
export const WINDOWS = { first_pass_merge_rate: 50, rebase_conflict_rate: 100 } as const;

/** Commits and workers let neighbours change places: a window is full of a stretch only so many merges later. */
const SLACK = 6;
const LONGEST = WINDOWS.rebase_conflict_rate;

/**
 * Merges of each stretch, in this order; after the last one, the last two again and again.
 *   good: until the longer window is full, so that both gates have taken their permissive side;
 *   bad:  until half its merges are retries on 4/5 of the shorter window (60 % first pass < 70 %), and conflicts,
 *         three in ten, are 12 of 100 in the longer one (≥ 10 %);
 *   good: until the bad ones have left the longer window again.
 */
export const STRETCHES: readonly { readonly mood: Mood; readonly merges: number }[] = [
  { mood: "good", merges: LONGEST + SLACK },
  { mood: "bad", merges: (WINDOWS.first_pass_merge_rate * 4) / 5 },
  { mood: "good", merges: LONGEST + 2 * SLACK },
];

/** One pass through all stretches: both gates have crossed in both directions. */
export const WHOLE_STORY = STRETCHES.reduce((sum, { merges }) => sum + merges, 0);

/** How many merges of which sort, in every deck of a stretch: drawn without replacement, so that no seed is unlucky. */
const DECKS: Readonly<Record<Mood, readonly (readonly [Outcome, number])[]>> = {
  good: [
    ["first_pass", 45],
    ["retry", 4],
    ["conflict", 1],
  ],
  bad: [
    ["first_pass", 5],
    ["retry", 2],
    ["conflict", 3],
  ],
};
type Outcome = "first_pass" | "retry" | "conflict";

/** Merges of each project in 20. */
const PROJECTS: readonly (readonly [string, number])[] = [
  ["atlas", 13],
  ["borealis", 3],
  ["cinder", 2],
  ["🦊 foxglove", 1],
  ["dune", 1],
];
export const BUSY_PROJECT = "atlas";

/** Builds that a retried item took, in 10. */
const ATTEMPTS: readonly (readonly [number, number])[] = [
  [2, 6],
  [3, 2],
  [4, 1],
  [5, 1],
];
const FOLDERS = ["api", "billing", "docs", "search", "ui", "worker"];

/** An item brought in by hand, whose builds were not counted, merges here: its facts are unusable. */
const UNUSABLE_AT = 35.5;

const NOTIFIED = 0.85;
const MERGES_OVERTAKEN = 0.1;
const OTHERS_OVERTAKEN = 0.03;
const ROLLED_BACK = 0.05;
const REPEATED = 0.06;

/** How far ahead items are planned, in merges: more than the longest way of an item takes. */
const HORIZON = 24;

/** All transactions in the order in which they begin. Endless. */
export function* scenario(seed: number): Generator<Transaction, never> {
  const random = mulberry32(seed);
  const plans = plan(random);
  const pending: Transaction[] = [];
  let planned = 0;
  for (let now = 1; ; now += 1) {
    while (planned < now + HORIZON) {
      const { value } = plans.next();
      planned = value.at;
      pending.push(...lifeOf(value, random));
    }
    pending.sort((a, b) => a.at - b.at);
    while (pending[0] !== undefined && pending[0].at <= now) yield pending.shift() as Transaction;
  }
}

type Plan = {
  readonly item: WorkItem;
  readonly at: number;
  readonly mood: Mood;
  readonly outcome: Outcome | "uncounted";
};

function* plan(random: Random): Generator<Plan, never> {
  const project = deck(random, PROJECTS);
  let number = 0;
  const nextItem = (): WorkItem => {
    number += 1;
    const name = project();
    return { number, project: name, storyId: `${name}-${number}`, fileScope: files(random) };
  };
  let at = 0;
  for (let index = 0; ; index += 1) {
    const { mood, merges } = stretch(index);
    const outcome = deck(random, DECKS[mood]);
    for (const end = at + merges; at < end; ) {
      at += 1;
      if (at === Math.ceil(UNUSABLE_AT))
        yield { item: nextItem(), at: UNUSABLE_AT, mood, outcome: "uncounted" };
      yield { item: nextItem(), at, mood, outcome: outcome() };
    }
  }
}

function stretch(index: number): { readonly mood: Mood; readonly merges: number } {
  const last = STRETCHES.length - 1;
  const place = index <= last ? index : last - ((index - last) % 2);
  return STRETCHES[place] as (typeof STRETCHES)[number];
}

/** The transactions of one item, its way planned backwards from its merge. */
function* lifeOf({ item, at, mood, outcome }: Plan, random: Random): Generator<Transaction> {
  const steps = way(outcome, random);
  const times = [at];
  while (times.length < steps.length) times.unshift((times[0] as number) - 0.4 - 0.8 * random());
  for (const [index, step] of steps.entries()) {
    const merges = step.target === "merged";
    const overtaken = random() < (merges ? MERGES_OVERTAKEN : OTHERS_OVERTAKEN);
    const transaction: Transaction = {
      ...step,
      at: times[index] as number,
      item,
      ending: "commit",
      overtakenBy: overtaken ? 6 + Math.floor(random() * 6) : 0,
      notify: merges && random() < NOTIFIED,
      counts: merges && outcome !== "uncounted",
      mood,
    };
    if (random() < ROLLED_BACK) {
      yield { ...transaction, at: transaction.at - 0.3, ending: "rollback", overtakenBy: 0, counts: false };
    }
    yield transaction;
    if (merges && random() < REPEATED) {
      const later = at + 1.5 + 8 * random();
      yield { ...transaction, at: later, from: "merged", overtakenBy: 0, counts: false };
    }
  }
}

type Step = Pick<Transaction, "from" | "target" | "attempts" | "lastVerdict">;

/** spec → build → review, back to build for every further attempt, → merged. */
function way(outcome: Plan["outcome"], random: Random): Step[] {
  const builds = outcome === "first_pass" || outcome === "uncounted" ? 1 : pick(random, ATTEMPTS);
  const counted = outcome === "uncounted" ? 0 : 1;
  let lastVerdict: string | null = null;
  const steps: Step[] = [
    { from: null, target: "spec", attempts: 0, lastVerdict },
    { from: "spec", target: "build", attempts: counted, lastVerdict },
  ];
  for (let build = 1; build < builds; build += 1) {
    steps.push({ from: "build", target: "review", attempts: build, lastVerdict });
    // The last hindrance of a conflicted item is the conflict: it needs a rebase and a build, but no new verdict.
    lastVerdict = outcome === "conflict" && build === builds - 1 ? "rebase_conflict" : "changes_requested";
    steps.push({ from: "review", target: "build", attempts: build + 1, lastVerdict });
  }
  const attempts = builds * counted;
  if (outcome !== "conflict") lastVerdict = "approve";
  steps.push({ from: "build", target: "review", attempts, lastVerdict });
  steps.push({ from: "review", target: "merged", attempts, lastVerdict });
  return steps;
}

function files(random: Random): string[] {
  const folder = () => FOLDERS[Math.floor(random() * FOLDERS.length)] as string;
  return [...new Set(Array.from({ length: 1 + Math.floor(random() * 3) }, () => `src/${folder()}/**`))];
}
