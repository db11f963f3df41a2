/**
 * The published schemas: JSON Schema 2020-12, generated from the strict ones, and tolerant. A reader relies on
 * the fields that are there; later additions (fields, reasons, metrics) must not make a row invalid for an old copy.
 */
import { z } from "zod";
import { EVENTS } from "./events.ts";
import { explanation } from "./explanation.ts";
import { history, recentHistory } from "./history.ts";
import { simulation } from "./simulation.ts";
import { snapshot } from "./snapshot.ts";
import { verification } from "./verification.ts";

export type EventKind = keyof typeof EVENTS;
export const EVENT_KINDS = Object.keys(EVENTS) as EventKind[];

/** The documents that verbs print and HTTP serves, by the name of their schema. */
const DOCUMENTS = {
  snapshot,
  history,
  "recent-history": recentHistory,
  explanation,
  verification,
  simulation,
} as const;

export type DocumentName = keyof typeof DOCUMENTS;
export const DOCUMENT_NAMES = Object.keys(DOCUMENTS) as DocumentName[];

/** Everything that has a schema. */
export const SCHEMAS: Readonly<Record<EventKind | DocumentName, z.ZodType>> = { ...EVENTS, ...DOCUMENTS };

export type JsonSchema = Readonly<Record<string, unknown>>;

/** The published schema of a document. */
export function publishedSchema(name: string, schema: z.ZodType): JsonSchema {
  const { $schema, description, ...body } = z.toJSONSchema(schema, {
    target: "draft-2020-12",
    override: ({ jsonSchema }) => loosen(jsonSchema),
  });
  return {
    $schema,
    $id: `urn:damascus-metrics:1:${name}`,
    ...withShortNulls(body),
    title: name,
    description,
  };
}

function loosen(schema: Record<string, unknown>): void {
  if (schema["additionalProperties"] === false) delete schema["additionalProperties"];
  if (schema["growing"] === true) {
    delete schema["growing"];
    schema["examples"] = schema["enum"];
    delete schema["enum"];
    schema["minLength"] = 1;
  }
}

/** `{anyOf: [{type: X}, {type: null}]}` says no more than `{type: [X, null]}`, and a validator explains that better. */
function withShortNulls(value: unknown): JsonSchema {
  return shorten(value) as JsonSchema;
}

function shorten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shorten);
  if (typeof value !== "object" || value === null) return value;
  const { anyOf, ...rest } = Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, shorten(member)]),
  );
  if (anyOf === undefined) return rest;
  const [first, second, ...more] = anyOf as Record<string, unknown>[];
  if (more.length > 0 || second?.["type"] !== "null" || typeof first?.["type"] !== "string")
    return { anyOf, ...rest };
  const { type, enum: words, ...kept } = first;
  return {
    type: [type, "null"],
    ...(words === undefined ? {} : { enum: [...(words as unknown[]), null] }),
    ...kept,
    ...rest,
  };
}
