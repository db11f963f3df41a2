/** Loaded into a daemon with --import: tells the process that started it about memory and the event loop, every second. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export type ProbeMessage = {
  readonly rssMb: number;
  /** What is left when all garbage has been collected: what leaks, if anything does. Null between collections. */
  readonly liveMb: number | null;
  /** The event loop's delays of the last second, in milliseconds. */
  readonly delayP99: number;
  readonly delayMax: number;
};

const EVERY_MS = 1_000;
/** A collection takes some milliseconds: not at every message. */
const COLLECT_EVERY = 10;
const RESOLUTION_MS = 5;
const MB = 2 ** 20;
const NS_PER_MS = 1e6;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
let count = 0;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();
setInterval(() => {
  // The timer that measures is itself late by its resolution.
  const delayP99 = delays.percentile(99) / NS_PER_MS - RESOLUTION_MS;
  const delayMax = delays.max / NS_PER_MS - RESOLUTION_MS;
  count += 1;
  const collects = count % COLLECT_EVERY === 0;
  if (collects) collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  const message: ProbeMessage = {
    rssMb: rss / MB,
    liveMb: collects ? (heapUsed + external) / MB : null,
    delayP99: Math.max(0, delayP99),
    delayMax: Math.max(0, delayMax),
  };
  delays.reset();
  process.send?.(message, () => undefined);
}, EVERY_MS).unref();
process.channel?.unref();
