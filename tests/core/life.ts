/** The life of a log: daemons come and go under changing configurations, retention takes rows from the old end. */
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import type { Facts, Merge } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import type { EventRow } from "../../src/core/metric-event.ts";
import { isMetric, journal, merge, PRODUCER, replay } from "./build.ts";
import { naiveFigure } from "./naive.ts";

type Written = { readonly row: EventRow; readonly merge: Merge; readonly set: number };

type Knowledge = {
  readonly truncated: boolean;
  readonly metrics: readonly {
    readonly line: string;
    readonly n: number;
    readonly numerator: number | null;
    readonly value: number | null;
    readonly state: string;
  }[];
};

export class Life {
  /** The rows that survive. */
  written: Written[] = [];
  analyzer: Analyzer;
  /** Every merge ever recorded. */
  readonly merges: Merge[] = [];
  settings: readonly MetricSettings[];

  constructor(settings: readonly MetricSettings[]) {
    this.settings = settings;
    this.analyzer = new Analyzer(settings);
  }

  get raws() {
    return journal(this.written.map(({ row }) => row));
  }

  merge(outcomes: readonly Partial<Facts>[]): void {
    for (const facts of outcomes) {
      const next = merge(this.merges.length + 1, facts);
      this.merges.push(next);
      for (const row of fold(this.analyzer, next, PRODUCER)) {
        this.written.push({ row, merge: next, set: this.merges.length });
      }
    }
  }

  prune(rows: number): void {
    this.written = this.written.slice(rows);
  }

  restart(settings: readonly MetricSettings[] = this.settings): void {
    this.settings = settings;
    this.analyzer = replay(this.raws, settings).analyzer;
  }

  /** The merges whose sets survive whole, oldest first. */
  get surviving(): Merge[] {
    const left = new Map<number, number>();
    for (const { set } of this.written) left.set(set, (left.get(set) ?? 0) + 1);
    const whole = this.written.filter(
      ({ row, set }) => "set_size" in row.payload && row.payload.set_size === left.get(set),
    );
    return [...new Set(whole.map((one) => one.merge))];
  }

  /** What a daemon started now knows of every metric, in every scope that survives. */
  known(): Knowledge {
    const { analyzer } = replay(this.raws, this.settings);
    const scopes = [[null, analyzer.global] as const, ...analyzer.projects];
    return {
      truncated: analyzer.truncated,
      metrics: scopes.flatMap(([project, scope]) =>
        this.settings.map((metric, index) => {
          const reading = scope.reading(index);
          return {
            line: `${metric.name}|${project}`,
            n: reading.n,
            numerator: reading.numerator,
            value: reading.defined ? reading.value : null,
            state: scope.gate(metric.name).state,
          };
        }),
      ),
    };
  }

  /** What the surviving rows prove, no more and no less, counted naively. */
  proven(): Knowledge {
    const { surviving } = this;
    const whole = new Set(surviving);
    const states = new Map<string, string | null>();
    for (const { row, merge: recorded } of this.written) {
      if (isMetric(row) && whole.has(recorded)) {
        states.set(`${row.payload.metric}|${row.payload.project}`, row.payload.state);
      }
    }
    const [first] = this.written;
    const beginsAtOne =
      first !== undefined &&
      "seq" in first.row.payload &&
      first.row.payload.seq === 1 &&
      first.row.payload.scope === "global" &&
      surviving[0] === first.merge;
    // The one that merged last is the last one.
    const projects = [...new Set(surviving.map(({ project }) => project).toReversed())].toReversed();
    return {
      truncated: first !== undefined && !beginsAtOne,
      metrics: [null, ...projects].flatMap((name) =>
        this.settings.map((metric) => {
          const line = `${metric.name}|${name}`;
          const mine = name === null ? surviving : surviving.filter(({ project }) => project === name);
          const figure = naiveFigure(metric.name, metric.window, metric.verdicts ?? [], mine);
          return { line, ...figure, state: states.get(line) ?? "unknown" };
        }),
      ),
    };
  }
}
