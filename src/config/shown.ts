/** A wrong value in a message: as JSON, so that blanks and control characters are visible, and cut short. */
export function shown(value: unknown): string {
  const json = JSON.stringify(value);
  return json.length <= 60 ? json : `${json.slice(0, 59)}…`;
}
