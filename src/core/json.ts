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

export function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

type Test = (value: unknown) => boolean;

export function orNull(test: Test): Test {
  return (value) => value === null || test(value);
}

export function listOf(test: Test): Test {
  return (value) => Array.isArray(value) && value.every(test);
}

/** An object of which these fields pass their tests. Others are not looked at. */
export function shape<T>(fields: Readonly<Partial<Record<keyof T, Test>>>): (value: unknown) => value is T {
  const tests = Object.entries(fields) as [string, Test][];
  return (value): value is T => {
    const object = asObject(value);
    return object !== null && tests.every(([name, test]) => test(object[name]));
  };
}
