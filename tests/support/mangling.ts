/** What may come in the place of a server's message: cut, doubled, replaced, garbage. Random bytes are from a seed. */
import { mulberry32 } from "../../demo/random.ts";
import type { BackendMessage, Mangled } from "./proxy.ts";

/** A message of the server's, as its protocol has it. */
export function backendMessage(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** An ErrorResponse as a pooler makes it. */
export function errorResponse(code: string, message: string): Buffer {
  return backendMessage("E", Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`));
}

const LOST = errorResponse("08P01", "server conn crashed?");

export const MANGLINGS = {
  "cut in its middle": ({ bytes }) => ({ bytes: half(bytes), after: "cut" }),
  "an ErrorResponse in its middle": ({ bytes }) => ({ bytes: join(half(bytes), LOST, LOST), after: "cut" }),
  "an ErrorResponse that fills its rest": ({ bytes }) => ({
    bytes: join(half(bytes), LOST).subarray(0, bytes.length),
    after: "cut",
  }),
  "an ErrorResponse instead": () => ({ bytes: LOST, after: "cut" }),
  doubled: ({ bytes }) => ({ bytes: join(bytes, bytes), after: "go on" }),
  lost: () => ({ bytes: Buffer.alloc(0), after: "cut when answered" }),
  "garbage as its body": ({ bytes }, random) => ({
    bytes: join(bytes.subarray(0, 5), garbage(bytes.length - 5, random)),
    after: "cut when answered",
  }),
  "garbage before it": ({ bytes }, random) => ({
    bytes: join(garbage(40, random), bytes),
    after: "cut when answered",
  }),
  "a length of 2 GB": ({ bytes }) => ({ bytes: withLength(bytes, 0x7fff_ffff), after: "cut when answered" }),
  "a length of 1": ({ bytes }) => ({ bytes: withLength(bytes, 1), after: "cut when answered" }),
  "a length that is one short": ({ bytes }) => ({
    bytes: withLength(bytes, bytes.length - 2),
    after: "cut when answered",
  }),
  "an ErrorResponse without its end": () => ({
    bytes: backendMessage("E", Buffer.from("SFATAL\0C57P01\0Mno end\0")),
    after: "cut",
  }),
} satisfies Record<string, Mangling>;

export type Mangling = (message: BackendMessage, random: () => number) => Mangled;
export type ManglingName = keyof typeof MANGLINGS;
export const MANGLING_NAMES = Object.keys(MANGLINGS) as ManglingName[];

/** @param seed gives the same bytes each time. */
export function mangled(name: ManglingName, message: BackendMessage, seed: number): Mangled {
  const mangling: Mangling = MANGLINGS[name];
  return mangling(message, mulberry32(seed));
}

function half(bytes: Buffer): Buffer {
  return bytes.subarray(0, Math.ceil(bytes.length / 2));
}

function join(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}

function garbage(length: number, random: () => number): Buffer {
  return Buffer.from(Array.from({ length: Math.max(0, length) }, () => Math.floor(random() * 256)));
}

function withLength(bytes: Buffer, length: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeInt32BE(length, 1);
  return changed;
}
