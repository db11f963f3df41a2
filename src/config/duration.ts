/** Durations as people write them: `500ms`, `5s`, `2m`. */

const UNITS = { ms: 1, s: 1_000, m: 60_000 } as const;

/** Milliseconds; null if the text is not a whole number with a unit. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})(ms|s|m)$/.exec(text);
  return match === null ? null : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}

/** As people write it: one minute is 60s, two are 2m. */
export function formatDuration(ms: number): string {
  if (ms > UNITS.m && ms % UNITS.m === 0) return `${ms / UNITS.m}m`;
  return ms >= UNITS.s && ms % UNITS.s === 0 ? `${ms / UNITS.s}s` : `${ms}ms`;
}
