/** The published contracts as they lie in `config/contracts/`: a closed list of names, read from there. */
import { readFileSync } from "node:fs";
import { EVENT_KINDS } from "./json-schema.ts";

const FOLDER = new URL("../../config/contracts/", import.meta.url);

export type Published = { readonly name: string; readonly title: string; readonly file: string };

export const PUBLISHED: readonly Published[] = [
  ...EVENT_KINDS.map((kind) => ({
    name: kind,
    title: `JSON Schema of ${kind} events`,
    file: `${kind}.schema.json`,
  })),
  { name: "snapshot", title: "JSON Schema of the snapshot document", file: "snapshot.schema.json" },
  { name: "asyncapi", title: "AsyncAPI 3 document of all events, with examples", file: "asyncapi.json" },
];

/** The text of a published document. */
export function readPublished({ file }: Published): string {
  return readFileSync(new URL(file, FOLDER), "utf8");
}
