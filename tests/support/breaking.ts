/** Rows of ours in a log, and what somebody's hand may do to them, as SQL. */

/** The rows of the merge with this seq of the global scope. @param more narrows them down. */
export const OF_SEQ = (seq: number, more = "true"): string =>
  `kind LIKE 'metric.%' AND payload->'merge'->>'event_id' = (SELECT payload->'merge'->>'event_id' FROM events_outbox
     WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'seq' = '${seq}') AND ${more}`;

export const FIRST_PASS = "kind = 'metric.first_pass_merge_rate'";

/** Another value at this path (`a,b`) of the payloads of these rows. */
export const set = (path: string, value: string, where: string): string =>
  `UPDATE events_outbox SET payload = jsonb_set(payload, '{${path}}', '${value}') WHERE ${where}`;
