/** One run of the benchmark: what its measurements share. */
import type { Sample } from "./figures.ts";
import type { Finding } from "./finding.ts";
import type { Database, Server } from "./server.ts";

export type Run = {
  readonly server: Server;
  /** The executable `metrics` as it is shipped. */
  readonly entry: string;
  /** How often each variant is measured. */
  readonly repeat: number;
  /** The least that still says something: for a check of every change. */
  readonly brief: boolean;
  readonly find: (finding: Finding) => void;
  readonly say: (text: string) => void;
};

/** A history of one size. */
export type SizedRun = Run & {
  readonly merges: number;
  readonly database: Database;
  /** Merges in the log now. A measure that merges more counts them here. */
  recorded: number;
  /** What the smallest size gave, by the finding's words; empty at the smallest size. */
  readonly atSmallest: ReadonlyMap<string, Sample>;
};

/** @throws Error where a process restored something else: its time would say nothing. */
export function expectSeq(seq: number, recorded: number): void {
  if (seq !== recorded) throw new Error(`seq ${seq} was restored, ${recorded} merges are recorded`);
}

/** The same finding at this size over that at the smallest one: does it grow with the history? */
export function findGrowth(run: SizedRun, finding: Finding, bound: number): void {
  const smallest = run.atSmallest.get(finding.what);
  if (smallest === undefined) return;
  run.find({
    ...finding,
    what: `${finding.what}: growth with the history`,
    floor: { what: "at the smallest size", sample: smallest },
    goal: { of: "ratio", is: "at most", bound },
  });
}
