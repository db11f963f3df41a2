/** What a person at a terminal may do about a failure of the database. */
import type { Failure } from "../events/fields.ts";
import { meaningOf } from "../postgres/meaning.ts";

/** One line: what is wrong, what to do, and in brackets the failure's own words. */
export function advice({ code, message }: Failure): string {
  return `${meaningOf(code).advice} (${code}: ${message})`;
}
