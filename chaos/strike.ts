/** Carries the plan of faults out. */
import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../demo/database.ts";
import { mulberry32 } from "../demo/random.ts";
import { administer } from "./administrator.ts";
import type { Instance } from "./instance.ts";
import type { Outages } from "./outages.ts";
import { type Fault, planFaults } from "./plan.ts";
import { prune } from "./retention.ts";
import { type Forgiven, strikeServer } from "./server-faults.ts";
import type { Variant } from "./variant.ts";

export type Striking = {
  readonly seconds: number;
  readonly seed: number;
  readonly variant: Variant;
  readonly forgiven: Forgiven;
  readonly outages: Outages;
  readonly enough: AbortSignal;
};

/** What sends everybody away, or one reading command's backend. */
const OUTAGES: readonly Fault["kind"][] = ["server crash", "rewind", "backend killed"];

/** Faults of one daemon come one after another, and so do those of the server. */
export async function strike(
  database: Database,
  instances: readonly Instance[],
  { seconds, seed, variant, forgiven, outages, enough }: Striking,
): Promise<Map<Fault["kind"], number>> {
  const struck = new Map<Fault["kind"], number>();
  const chances = mulberry32(seed + 1);
  const startedAt = performance.now();
  let server: Promise<unknown> = Promise.resolve();
  let local: Promise<unknown>[] = instances.map(() => Promise.resolve());
  const stops = variant.retention !== "none" || variant.oldTransactions === "yes";
  for (const fault of planFaults(seed, seconds, instances.length, stops)) {
    const chance = chances();
    const wait = fault.atMs - (performance.now() - startedAt);
    if (wait > 0) await delay(wait, undefined, { signal: enough }).catch(() => undefined);
    if (enough.aborted) break;
    const inTurn = async (
      before: Promise<unknown> | undefined,
      carryOut: () => Promise<void> | undefined,
    ) => {
      await before;
      if (enough.aborted || performance.now() - startedAt > seconds * 1_000) return;
      struck.set(fault.kind, (struck.get(fault.kind) ?? 0) + 1);
      await carryOut();
    };
    if ("daemon" in fault) {
      const { daemon, kind, forMs } = fault;
      local[daemon] = inTurn(local[daemon], () => instances[daemon]?.suffer(kind, forMs));
    } else if (fault.kind === "all stopped") {
      const { forMs } = fault;
      const stopped = inTurn(Promise.all(local), () => stopAll(database, instances, variant, forMs, chance));
      local = local.map(() => stopped);
    } else {
      const { kind, forMs } = fault;
      server = inTurn(server, async () => {
        const over = OUTAGES.includes(kind) ? outages.begin() : () => undefined;
        await strikeServer(database, kind, forMs, chance, forgiven);
        over();
      });
    }
  }
  await Promise.all([server, ...local]);
  return struck;
}

/** All daemons stop; rows go, and others come; all start. */
export async function stopAll(
  database: Database,
  instances: readonly Instance[],
  variant: Variant,
  forMs: number,
  chance: number,
): Promise<void> {
  await Promise.all(instances.map((instance) => instance.down(chance < 0.5 ? "kill" : "terminate")));
  await delay(forMs / 2);
  await administer(database.ownerUrl, async (admin) => {
    await prune(admin, variant, (chance * 10) % 1);
  });
  await delay(forMs / 2);
  for (const instance of instances) instance.up();
}
