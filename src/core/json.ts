/** JSON that came from outside, looked at before it is believed. */

export type Json = Readonly<Record<string, unknown>>;

/** Null for text that is not JSON, or not an object. */
export function parseObject(text: string | null): Json | null {
  if (text === null) return null;
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export function asObject(value: unknown): Json | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

/** A whole number from 1. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

export function isCountOrZero(value: unknown): value is number {
  return value === 0 || isCount(value);
}

/** A bigint as decimal text. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && /^-?[0-9]{1,19}$/.test(value);
}

export function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
