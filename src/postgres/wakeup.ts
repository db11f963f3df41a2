/**
 * The listener: it hears notifications and rings the bell. Notifications are only a hint; without them the daemon polls.
 *
 * A listening connection can be deaf without noticing it: half-open, or behind a pooler that hands each statement to another
 * backend. So it must hear a notification on a channel of its own, again and again; the first one is sent by another connection,
 * because behind a pooler its own may come back all the same. A deaf connection is destroyed, and another one is made.
 */
import pgListen from "pg-listen";
import { type Backoff, backoffDelay, pause } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import type { Report } from "../events/daemon-event.ts";
import { type ConnectionSettings, clientConfig, connect } from "./connection.ts";
import { failureOf } from "./failure.ts";
import { innerConnection } from "./inner-connection.ts";
import { literal, quote } from "./names.ts";

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
  // The library hides its connection, reports no reason for its loss, and never closes a half-open one. So it is made here.
  const config = clientConfig(settings);
  const connection = innerConnection(config);
  // The library writes a plain word without quotes, and does not know every reserved one.
  const query = connection.query.bind(connection);
  connection.query = (text) => {
    query(text === `LISTEN ${settings.notifyChannel}` ? `LISTEN ${quote(settings.notifyChannel)}` : text);
  };
  // Disposable: no attempt to reconnect, no query of its own, no parsing of payloads.
  const subscriber = pgListen.default(
    { ...config, connection },
    {
      retryLimit: 1,
      paranoidChecking: false,
      parse: (text: string) => text,
      serialize: (text: string) => text,
    },
  );
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => undefined);
  for (const sign of ["errorMessage", "error", "end"])
    connection.on(sign, (error: unknown) => over.reject(error ?? new Error("Connection terminated")));
  let hear: (() => void) | null = null;
  subscriber.events.on("error", over.reject);
  subscriber.events.on("notification", ({ channel }) => {
    if (channel === settings.selfChannel) hear?.();
    else ring("notification");
  });
  const fromHere = async (): Promise<void> => {
    await subscriber.notify(settings.selfChannel, "");
  };
  const fromElsewhere = async (): Promise<void> => {
    const other = await connect(settings, stop);
    await other.run(`SELECT pg_catalog.pg_notify(${literal(settings.selfChannel)}, '')`);
    // Not awaited: a silent server would keep the checks from continuing.
    void other.end();
  };
  const checks = async (): Promise<void> => {
    await subscriber.connect();
    await subscriber.listenTo(settings.notifyChannel);
    await subscriber.listenTo(settings.selfChannel);
    for (let send = fromElsewhere; !stop.aborted; send = fromHere) {
      const hearing = Promise.withResolvers<boolean>();
      hear = () => hearing.resolve(true);
      await send();
      setTimeout(() => hearing.resolve(false), settings.selfCheck.withinMs).unref();
      if (!(await hearing.promise))
        throw new Deaf(
          "its own notification did not arrive: if DATABASE_URL leads to a pooler in transaction mode, point it at the server itself",
        );
      hears();
      await pause(settings.selfCheck.everyMs, stop);
    }
  };
  stop.addEventListener("abort", over.reject, { once: true });
  try {
    await Promise.race([checks(), over.promise]);
  } finally {
    stop.removeEventListener("abort", over.reject);
    subscriber.close().catch(() => undefined);
    connection.stream.destroy();
  }
}
