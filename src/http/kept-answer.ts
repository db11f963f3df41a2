/**
 * An answer that is made once per change and sent compressed, or as 304 to a client that has it. It is made in slices,
 * between which the loop records merges.
 *
 * A version covers everything that an answer shows, except the time. Its hash is a weak ETag: two answers of one version
 * may differ in `generated_at` alone.
 */
import { createHash, randomUUID } from "node:crypto";
import { setTimeout, setImmediate as yieldToLoop } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";
import { safeJson } from "../text/safe.ts";
import { oncePer } from "./once-per.ts";

const compress = promisify(gzip);

/** Compressing fewer characters saves no packet. */
const WORTH_COMPRESSING = 1400;
/** Twice as fast as the default level, with a tenth more bytes. */
const FAST = 3;
/** Items of a list between two yields: about a millisecond. */
const SLICE = 200;

/** Objects are numbered per process, so a version includes the process. */
const PROCESS = randomUUID();
let objects = 0;
const numberOf = oncePer<object, number>(() => (objects += 1));

/** A version: objects by their identity, all else by its value. */
export function versionOf(objectsShown: readonly object[], values: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify([PROCESS, objectsShown.map(numberOf), values]))
    .digest("base64url");
}

type Made = { readonly text: string; readonly compressed: () => Promise<Buffer> };

/**
 * Making answers takes at most a quarter of the time, even if a client asks without pause and merges change every answer.
 * The rest is left to recording.
 */
const REST_PER_WORK = 3;
const LONGEST_REST_MS = 1_000;

/** Answers with one document of a kind at a time. */
export class KeptAnswer {
  /** On the monotonic clock, in milliseconds. */
  #restsUntil = 0;
  #key = "";
  #made: Promise<Made> | null = null;

  /**
   * @param version everything that is shown, except the time. @param moment the text is made again if it changes.
   * @param make is called only if neither this nor the client has the text.
   */
  async send(
    request: FastifyRequest,
    reply: FastifyReply,
    { version, moment = "" }: { readonly version: string; readonly moment?: string },
    make: () => Promise<string>,
  ): Promise<FastifyReply> {
    const etag = `W/"${version}"`;
    reply.headers({ etag, vary: "accept-encoding" });
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();
    const key = `${version} ${moment}`;
    if (this.#made === null || key !== this.#key) {
      this.#key = key;
      this.#made = this.#make(make);
      // A failure fails this request only; the next one tries again.
      this.#made.catch(() => {
        if (this.#key === key) this.#made = null;
      });
    }
    const { text, compressed } = await this.#made;
    if (text.length < WORTH_COMPRESSING || !acceptsGzip(request)) return reply.send(text);
    return reply.header("content-encoding", "gzip").send(await compressed());
  }

  async #make(make: () => Promise<string>): Promise<Made> {
    const rest = this.#restsUntil - performance.now();
    if (rest > 0) await setTimeout(rest);
    const startedAt = performance.now();
    const text = await make();
    const took = performance.now() - startedAt;
    this.#restsUntil = performance.now() + Math.min(LONGEST_REST_MS, REST_PER_WORK * took);
    let compressed: Promise<Buffer> | null = null;
    return { text, compressed: () => (compressed ??= compress(text, { level: FAST })) };
  }
}

function acceptsGzip(request: FastifyRequest): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(request.headers["accept-encoding"] ?? "");
}

/** Calls each in turn and yields to the event loop in between. */
export async function inTurn<T>(makers: readonly (() => T)[]): Promise<T[]> {
  const made: T[] = [];
  for (const make of makers) {
    if (made.length > 0) await yieldToLoop();
    made.push(make());
  }
  return made;
}

/** The same text as `jsonText`, made in slices; the text of a long list is kept as long as the list. */
export async function slicedJson(document: object): Promise<string> {
  const members: string[] = [];
  for (const [name, value] of Object.entries(document) as [string, unknown][]) {
    const text = Array.isArray(value) ? await listText(value) : safeJson(JSON.stringify(value));
    members.push(`${safeJson(JSON.stringify(name))}:${text}`);
  }
  return `{${members.join(",")}}\n`;
}

const listText = oncePer(async (items: readonly unknown[]): Promise<string> => {
  const slices = Array.from({ length: Math.ceil(items.length / SLICE) }, (_, nth) => () => {
    const slice = items.slice(nth * SLICE, (nth + 1) * SLICE);
    return safeJson(slice.map((item) => JSON.stringify(item)).join(","));
  });
  return `[${(await inTurn(slices)).join(",")}]`;
});
