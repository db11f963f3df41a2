/** The files of `config/contracts/`, as text: generated, never edited. */
import type { MetricSettings } from "../src/core/metric.ts";
import { asyncApi } from "./asyncapi.ts";
import { examples } from "./examples.ts";
import { publishedSchema, SCHEMAS } from "./json-schema.ts";

/** Every file by its path within the folder. */
export function contractFiles(metrics: readonly MetricSettings[]): Map<string, string> {
  const files = new Map<string, string>();
  const made = examples(metrics);
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    files.set(`${name}.schema.json`, text(publishedSchema(name, schema)));
  }
  for (const [name, list] of Object.entries(made)) files.set(`examples/${name}.json`, text(list));
  files.set("asyncapi.json", text(asyncApi(made)));
  return files;
}

function text(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
