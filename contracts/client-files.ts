/** Types for consumers in TypeScript and in Python, generated from the published schemas: copy the one you need. */
import { type Definition, definitionsOf, type Field, type Shape, typeName } from "./client-shapes.ts";
import type { JsonSchema } from "./json-schema.ts";

const ABOUT = [
  "Generated from the JSON Schemas beside this file by `npm run contracts`; never edited.",
  "A reader ignores fields and kinds that it does not know. Ranges and patterns are checked by the schemas alone.",
];

/** @param events the kinds of rows among these schemas. */
export function clientFiles(
  schemas: ReadonlyMap<string, JsonSchema>,
  events: readonly string[],
): Readonly<Record<string, string>> {
  const definitions = definitionsOf(schemas);
  return {
    "damascus-metrics.ts": typescript(definitions, events),
    "damascus_metrics.py": python(definitions, events),
  };
}

function typescript(definitions: readonly Definition[], events: readonly string[]): string {
  const types = definitions.map((definition) => {
    const about = comment(definition.description, "");
    if ("shape" in definition)
      return `${about}export type ${definition.name} = ${inTypescript(definition.shape)};\n`;
    const fields = definition.fields.map(
      ({ name, shape, required, description }) =>
        `${comment(description, "  ")}  readonly ${name}${required ? "" : "?"}: ${inTypescript(shape)};\n`,
    );
    return `${about}export interface ${definition.name} {\n${fields.join("")}}\n`;
  });
  const kinds = events.map((kind) => `  readonly "${kind}": ${typeName(kind)};\n`).join("");
  return [
    ABOUT.map((line) => `// ${line}\n`).join(""),
    ...types,
    `/** The payload of each kind of row. */\nexport interface Payloads {\n${kinds}}\n`,
    "/** A row of events_outbox. Its id is a bigint as text. */\nexport type MetricEvent = {\n" +
      "  readonly [Kind in keyof Payloads]: { readonly id: string; readonly kind: Kind; readonly payload: Payloads[Kind] };\n" +
      "}[keyof Payloads];\n",
  ].join("\n");
}

function inTypescript(shape: Shape): string {
  switch (shape.is) {
    case "plain":
      return shape.type === "integer" ? "number" : shape.type;
    case "words":
      return shape.words.map((word) => JSON.stringify(word)).join(" | ");
    case "list":
      return `readonly ${shape.of.is === "named" || shape.of.is === "plain" ? inTypescript(shape.of) : `(${inTypescript(shape.of)})`}[]`;
    case "map":
      return `Readonly<Record<string, ${inTypescript(shape.of)}>>`;
    case "either":
      return shape.of.map(inTypescript).join(" | ");
    case "named":
      return shape.name;
  }
}

function comment(text: string | null, indent: string): string {
  return text === null ? "" : `${indent}/** ${text} */\n`;
}

/** For Python 3.9: a field may be called `from`, so classes alone cannot say it. */
function python(definitions: readonly Definition[], events: readonly string[]): string {
  const types = definitions.map((definition) => {
    const about = definition.description === null ? "" : `# ${definition.description}\n`;
    if ("shape" in definition) return `${about}${definition.name} = ${inPython(definition.shape)}\n`;
    const { name, fields } = definition;
    const optional = fields.filter(({ required }) => !required);
    const needed = fields.filter(({ required }) => required);
    if (optional.length === 0) return `${about}${typedDict(name, needed)}`;
    const further = optional.map((field) => `${note(field)}    ${field.name}: ${inPython(field.shape)}\n`);
    return `${typedDict(`_${name}`, needed)}\n\n${about}class ${name}(_${name}, total=False):\n${further.join("")}`;
  });
  const rows = events.map((kind) => {
    const name = typeName(kind);
    return `${name}Event = TypedDict("${name}Event", {"id": str, "kind": Literal["${kind}"], "payload": ${name}})\n`;
  });
  const union = events.map((kind) => `${typeName(kind)}Event`).join(", ");
  return [
    `${ABOUT.map((line) => `# ${line}\n`).join("")}from typing import Dict, List, Literal, TypedDict, Union\n`,
    ...types,
    `# A row of events_outbox. Its id is a bigint as text.\n${rows.join("")}MetricEvent = Union[${union}]\n`,
  ].join("\n");
}

function typedDict(name: string, fields: readonly Field[]): string {
  const members = fields.map((field) => `${note(field)}    "${field.name}": ${inPython(field.shape)},\n`);
  return `${name} = TypedDict("${name}", {\n${members.join("")}})\n`;
}

function note({ description }: Field): string {
  return description === null ? "" : `    # ${description}\n`;
}

const PYTHON = { string: "str", integer: "int", number: "float", boolean: "bool", null: "None" } as const;

function inPython(shape: Shape): string {
  switch (shape.is) {
    case "plain":
      return PYTHON[shape.type];
    case "words":
      return `Literal[${shape.words.map((word) => (word === null ? "None" : JSON.stringify(word))).join(", ")}]`;
    case "list":
      return `List[${inPython(shape.of)}]`;
    case "map":
      return `Dict[str, ${inPython(shape.of)}]`;
    case "either":
      return `Union[${shape.of.map(inPython).join(", ")}]`;
    case "named":
      return shape.name;
  }
}
