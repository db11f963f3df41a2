/** The published contracts, by name: the files of `config/contracts/`. */
import { readFileSync } from "node:fs";
import { METRIC_NAMES } from "../core/metric.ts";
import { CHECKPOINT_KIND, CROSSING_KIND, metricKind, SKIPPED_KIND } from "../core/metric-event.ts";
import { packaged } from "../packaged.ts";

export type Published = { readonly name: string; readonly title: string; readonly file: string };

const KINDS = [...METRIC_NAMES.map(metricKind), CROSSING_KIND, SKIPPED_KIND, CHECKPOINT_KIND];

const SCHEMAS: readonly (readonly [name: string, of: string])[] = [
  ...KINDS.map((kind) => [kind, `${kind} events`] as const),
  ["snapshot", "metrics snapshot --json, /snapshot.json"],
  ["history", "metrics history --json"],
  ["recent-history", "/history.json"],
  ["explanation", "metrics explain --json"],
  ["verification", "metrics verify --json"],
  ["simulation", "metrics simulate --json"],
];

export const PUBLISHED: readonly Published[] = [
  ...SCHEMAS.map(([name, of]) => ({ name, title: `JSON Schema of ${of}`, file: `${name}.schema.json` })),
  { name: "asyncapi", title: "AsyncAPI 3 document of all events, with examples", file: "asyncapi.json" },
];

/** The text of a published document. */
export function readPublished({ file }: Published): string {
  return readFileSync(packaged(`config/contracts/${file}`), "utf8");
}
