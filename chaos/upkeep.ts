/** What an administrator does all the time: removes old rows, makes partitions ahead. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { mulberry32 } from "../demo/random.ts";
import { administer } from "./administrator.ts";
import type { Instance } from "./instance.ts";
import { eventsOf } from "./judge.ts";
import { presume } from "./ledger.ts";
import { widenAhead } from "./partitions.ts";
import { prune } from "./retention.ts";
import type { Variant } from "./variant.ts";

const EVERY_MS = 2_000;

/** Until it is enough. */
export async function keepUp(
  ownerUrl: string,
  ledger: pg.Pool,
  instances: readonly Instance[],
  {
    seed,
    variant,
    enough,
  }: { readonly seed: number; readonly variant: Variant; readonly enough: AbortSignal },
): Promise<void> {
  const random = mulberry32(seed + 2);
  const { partitions } = variant;
  while (!enough.aborted) {
    await delay(EVERY_MS * random(), undefined, { signal: enough }).catch(() => undefined);
    await takeReports(ledger, instances, variant);
    if (partitions !== "none")
      await administer(ownerUrl, async (admin) => {
        await admin.query("SET lock_timeout = '800ms'");
        await widenAhead(admin, partitions);
      });
    await administer(ownerUrl, async (admin) => {
      await prune(admin, variant, random());
    });
  }
}

/** Only without a checkpoint may a daemon presume. */
export async function takeReports(
  ledger: pg.Pool,
  instances: readonly Instance[],
  { checkpoints }: Variant,
): Promise<void> {
  if (checkpoints === "lost")
    await presume(ledger, eventsOf(instances, "merge.presumed_recorded")).catch(() => undefined);
}
