/** The files of `config/contracts/`, as text: generated, never edited. */
import type { MetricSettings } from "../src/core/metric.ts";
import { asyncApi } from "./asyncapi.ts";
import { clientFiles } from "./client-files.ts";
import { examples } from "./examples.ts";
import { EVENT_KINDS, publishedSchema, SCHEMAS } from "./json-schema.ts";

/** Every file by its path within the folder. */
export function contractFiles(metrics: readonly MetricSettings[]): Map<string, string> {
  const files = new Map<string, string>();
  const made = examples(metrics);
  const schemas = new Map(
    Object.entries(SCHEMAS).map(([name, schema]) => [name, publishedSchema(name, schema)]),
  );
  for (const [name, schema] of schemas) files.set(`${name}.schema.json`, text(schema));
  for (const [name, list] of Object.entries(made)) files.set(`examples/${name}.json`, text(list));
  files.set("asyncapi.json", text(asyncApi(made)));
  for (const [file, types] of Object.entries(clientFiles(schemas, EVENT_KINDS))) files.set(file, types);
  return files;
}

function text(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
