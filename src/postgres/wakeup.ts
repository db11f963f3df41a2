/**
 * The listener: hears notifications and rings the bell. It is only a hint; without it the daemon polls.
 *
 * A listening connection can be deaf in ways that it does not notice: half-open, reset by a pooler that hands each
 * statement to another backend, or given up by the library after a few seconds. So each instance must hear a
 * notification on a channel of its own, again and again. The first one is sent by another connection: behind a pooler,
 * what it says itself comes back to it as often as chance gives it the backend that listens. One that does not hear is
 * thrown away, and the supervisor makes another, for ever.
 */
import type pg from "pg";
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
  /** A channel that nobody else listens on. */
  readonly selfChannel: string;
  readonly backoff: Backoff;
  /** How often a notification is sent to oneself, and how long it may take. */
  readonly selfCheck: { readonly everyMs: number; readonly withinMs: number };
};

/** Deaf, though connected: behind a pooler in transaction mode, say. */
class Deaf extends Error {}

/** Listens until `stop`; resolves when the last connection is gone. */
export async function listen(
  settings: WakeupSettings,
  ring: (source: "notification" | "listening" | "loss") => void,
  report: Report,
  clock: Clock,
  stop: AbortSignal,
): Promise<void> {
  let attempt = 0;
  let told: "connected" | "lost" | "degraded" | null = null;
  while (!stop.aborted) {
    const { reason, heard } = await listenOnce(settings, ring, stop, () => {
      attempt = 0;
      if (told !== "connected") report({ event: "listen.connected" });
      told = "connected";
      // Whatever was sent while nobody listened is found by looking.
      ring("listening");
    });
    if (stop.aborted) return;
    // What took this connection may have taken the other one as well, silently.
    if (heard) ring("loss");
    attempt += 1;
    const delay = backoffDelay(settings.backoff, attempt, clock.random());
    if (reason instanceof Deaf) {
      if (told !== "degraded") report({ event: "listen.degraded", reason: reason.message });
      told = "degraded";
    } else {
      if (told !== "lost") report({ event: "listen.lost", failure: failureOf(reason), retry_in_ms: delay });
      told = "lost";
    }
    await pause(delay, stop);
  }
}

/** One instance's life. @returns why it ended, and whether it ever heard anything. */
async function listenOnce(
  settings: WakeupSettings,
  ring: (source: "notification") => void,
  stop: AbortSignal,
  hears: () => void,
): Promise<{ readonly reason: unknown; readonly heard: boolean }> {
  // The library keeps its connection to itself, tells no reason of its loss, and closes a half-open one never: so it is
  // made here.
  const config = readConfig(settings);
  if (config instanceof Error) return { reason: config, heard: false };
  const connection = innerConnection(config);
  // The library writes a plain word without quotes, and does not know every reserved one.
  const query = connection.query.bind(connection);
  connection.query = (text) => {
    query(text === `LISTEN ${settings.notifyChannel}` ? `LISTEN ${quote(settings.notifyChannel)}` : text);
  };
  const subscriber = pgListen.default(
    { ...config, connection },
    {
      // Throw-away: no attempt of its own to come back, no query of its own, no parsing of what strangers send.
      retryLimit: 1,
      paranoidChecking: false,
      parse: (text: string) => text,
      serialize: (text: string) => text,
    },
  );
  const ended = Promise.withResolvers<unknown>();
  for (const sign of ["errorMessage", "error", "end"]) {
    connection.on(sign, (error: unknown) => ended.resolve(error ?? new Error("Connection terminated")));
  }
  let hear: (() => void) | null = null;
  let heard = false;
  subscriber.events.on("error", (error) => ended.resolve(error));
  subscriber.events.on("notification", ({ channel }) => {
    if (channel === settings.selfChannel) hear?.();
    else ring("notification");
  });
  const onStop = (): void => ended.resolve(null);
  stop.addEventListener("abort", onStop, { once: true });
  const notifyOurselves = async (): Promise<void> => {
    await subscriber.notify(settings.selfChannel, "");
  };
  const notifyFromElsewhere = async (): Promise<void> => {
    const other = await connect(settings, stop);
    await other.run(`SELECT pg_catalog.pg_notify(${literal(settings.selfChannel)}, '')`);
    // Not waited for: it has nothing more to say, and a silent server would keep the checks from going on.
    void other.end();
  };
  const checks = async (): Promise<void> => {
    await subscriber.connect();
    await subscriber.listenTo(settings.notifyChannel);
    await subscriber.listenTo(settings.selfChannel);
    for (let notify = notifyFromElsewhere; !stop.aborted; notify = notifyOurselves) {
      const hearing = Promise.withResolvers<boolean>();
      hear = () => hearing.resolve(true);
      await notify();
      setTimeout(() => hearing.resolve(false), settings.selfCheck.withinMs).unref();
      if (!(await hearing.promise))
        throw new Deaf(
          "our own notification was not heard: if DATABASE_URL leads to a pooler in transaction mode, point it at the server itself",
        );
      heard = true;
      hears();
      await pause(settings.selfCheck.everyMs, stop);
    }
  };
  checks().catch(ended.resolve);
  const reason = await ended.promise;
  stop.removeEventListener("abort", onStop);
  subscriber.close().catch(() => undefined);
  connection.stream.destroy();
  return { reason, heard };
}

/** Or why it cannot be read now. */
function readConfig(settings: ConnectionSettings): pg.ClientConfig | Error {
  try {
    return clientConfig(settings);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
