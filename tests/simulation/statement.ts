/**
 * A statement as the simulated server runs it: parts, each of which happens at one instant. Between two parts, any other session may
 * run. A part may run any number of times, on any state of the server, so it keeps no state of its own and returns what the next
 * part needs.
 */

type Part = {
  readonly label: string;
  readonly run: (before: unknown) => unknown;
  /** Whether it waits until its session has the writers' lock. */
  readonly underLock: boolean;
};

export type Statement<T> = {
  readonly name: string;
  readonly parts: readonly Part[];
  /** What the server does if it refuses the statement without an error; null where it cannot. */
  readonly refused: (() => T) | null;
};

/** A statement of one part. */
export function statement<T>(name: string, run: () => T): Statement<T> {
  return { name, parts: [{ label: name, run, underLock: false }], refused: null };
}

/** Its next part. @param run is given what the part before returned. */
export function andThen<T, U>(
  first: Statement<T>,
  label: string,
  run: (before: T) => U,
  { underLock = false }: { readonly underLock?: boolean } = {},
): Statement<U> {
  const next = { label: `${first.name}: ${label}`, run: run as (before: unknown) => unknown, underLock };
  return { name: first.name, parts: [...first.parts, next], refused: null };
}

export function orRefused<T>(first: Statement<T>, refused: () => T): Statement<T> {
  return { ...first, refused };
}
