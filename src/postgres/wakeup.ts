/**
 * The listener: it hears notifications and rings the bell. Notifications are only a hint; without them the daemon polls.
 *
 * A listening connection can be deaf without noticing it: half-open, or behind a pooler that hands each statement to another
 * backend. So each connection must hear a notification on a channel of its own, again and again. Another connection sends
 * the first one: behind a pooler, what a connection sends itself comes back whenever it happens to get the backend that
 * listens. A connection that does not hear is destroyed, and another one is made, indefinitely.
 */

import type { Clock } from "../clock.ts";
import type { Report } from "../events/daemon-event.ts";
import { type Backoff, backoffDelay, pause } from "../recorder/backoff.ts";
import { DatabaseFailure } from "../recorder/outbox-log.ts";
import { type ConnectionSettings, connect } from "./connection.ts";
import { failureOf } from "./failure.ts";
import { quote } from "./names.ts";

export type WakeupSettings = ConnectionSettings & {
  readonly notifyChannel: string;
  /** A channel on which no one else listens. */
  readonly selfChannel: string;
  readonly backoff: Backoff;
  /** How often a connection sends itself a notification, and how long that may take to arrive. */
  readonly selfCheck: { readonly everyMs: number; readonly withinMs: number };
};

type Ring = (source: "notification" | "listening" | "loss") => void;

/** Connected, but deaf: behind a pooler in transaction mode, for example. */
class Deaf extends Error {}

/** Listens until `stop`; resolves when the last connection is gone. */
export async function listen(
  settings: WakeupSettings,
  ring: Ring,
  report: Report,
  clock: Clock,
  stop: AbortSignal,
): Promise<void> {
  let attempt = 0;
  let reported: "connected" | "lost" | "degraded" | null = null;
  while (!stop.aborted) {
    let heard = false;
    const reason = await listenOnce(settings, ring, stop, () => {
      attempt = 0;
      heard = true;
      if (reported !== "connected") report({ event: "listen.connected" });
      reported = "connected";
      // A poll finds what was announced while nothing listened.
      ring("listening");
    }).catch((error: unknown) => error);
    if (stop.aborted) return;
    // The cause of this loss may have taken the writer's connection as well, silently.
    if (heard) ring("loss");
    attempt += 1;
    const delay = backoffDelay(settings.backoff, attempt, clock.random());
    if (reason instanceof Deaf) {
      if (reported !== "degraded") report({ event: "listen.degraded", reason: reason.message });
      reported = "degraded";
    } else {
      if (reported !== "lost")
        report({ event: "listen.lost", failure: failureOf(reason), retry_in_ms: delay });
      reported = "lost";
    }
    await pause(delay, stop);
  }
}

/** The life of one connection. @throws why it ended. */
async function listenOnce(
  settings: WakeupSettings,
  ring: Ring,
  stop: AbortSignal,
  hears: () => void,
): Promise<void> {
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => undefined);
  let hear: (() => void) | null = null;
  const connection = await connect(settings, stop, {
    loss: (failure) => over.reject(new DatabaseFailure(failure)),
    notification: (channel) => {
      if (channel === settings.selfChannel) hear?.();
      else ring("notification");
    },
  });
  const checks = async (): Promise<void> => {
    const notify = `NOTIFY ${quote(settings.selfChannel)}`;
    await connection.runEach(
      [settings.notifyChannel, settings.selfChannel].map((one) => `LISTEN ${quote(one)}`),
    );
    for (let send = fromElsewhere; !stop.aborted; send = fromHere) {
      const hearing = Promise.withResolvers<boolean>();
      hear = () => hearing.resolve(true);
      await send(notify);
      setTimeout(() => hearing.resolve(false), settings.selfCheck.withinMs).unref();
      if (!(await hearing.promise))
        throw new Deaf(
          "its own notification did not arrive: if DATABASE_URL leads to a pooler in transaction mode, point it at the server itself",
        );
      hears();
      await pause(settings.selfCheck.everyMs, stop);
    }
  };
  const fromHere = async (notify: string): Promise<void> => {
    await connection.run(notify);
  };
  const fromElsewhere = async (notify: string): Promise<void> => {
    const other = await connect(settings, stop);
    await other.run(notify);
    // Not awaited: a silent server would keep the checks from continuing.
    void other.end();
  };
  stop.addEventListener("abort", over.reject, { once: true });
  try {
    await Promise.race([checks(), over.promise]);
  } finally {
    stop.removeEventListener("abort", over.reject);
    void connection.end();
    connection.destroy();
  }
}
