/**
 * The published schemas as named types, before they are written in a language. Only what a type can say is kept: ranges,
 * patterns and lengths are the schemas' own.
 */
import type { JsonSchema } from "./json-schema.ts";

type Plain = "string" | "integer" | "number" | "boolean" | "null";

export type Shape =
  | { readonly is: "plain"; readonly type: Plain }
  | { readonly is: "words"; readonly words: readonly unknown[] }
  | { readonly is: "list" | "map"; readonly of: Shape }
  | { readonly is: "either"; readonly of: readonly Shape[] }
  | { readonly is: "named"; readonly name: string };

export type Field = {
  readonly name: string;
  readonly shape: Shape;
  readonly required: boolean;
  readonly description: string | null;
};

/** A type with a name: an object's fields, or a choice between other types. */
export type Definition = { readonly name: string; readonly description: string | null } & (
  | { readonly fields: readonly Field[] }
  | { readonly shape: Shape }
);

/** Every type of these schemas, each after the types that it names; a schema's own type is named after it. */
export function definitionsOf(schemas: ReadonlyMap<string, JsonSchema>): Definition[] {
  const taken = new Set([...schemas.keys()].map(typeName));
  const shared = sharedStructures(schemas);
  const named = new Map<string, string>();
  const definitions: Definition[] = [];

  for (const [schemaName, schema] of schemas) {
    const top = typeName(schemaName);

    function shapeOf(member: JsonSchema, wish: string, owner: string): Shape {
      const { type, const: word, enum: words, items, additionalProperties } = member;
      const options = optionsOf(member);
      if (options !== null)
        return either(
          options.map((option, index) => shapeOf(option, wish + distinction(options, index), owner)),
        );
      if (word !== undefined) return { is: "words", words: [word] };
      if (Array.isArray(words)) return { is: "words", words };
      return either(
        [type].flat().map((one): Shape => {
          if (one === "array") return { is: "list", of: shapeOf(items as JsonSchema, singular(wish), owner) };
          if (one !== "object") return { is: "plain", type: one as Plain };
          if (additionalProperties === undefined)
            return { is: "named", name: nameOf(member, [wish, top + wish, owner + wish]) };
          return { is: "map", of: shapeOf(additionalProperties as JsonSchema, singular(wish), owner) };
        }),
      );
    }

    /** Objects of the same fields share a name; only what several schemas have is not named after its schema. */
    function nameOf(member: JsonSchema, wishes: readonly string[]): string {
      const structure = structureOf(member);
      const known = named.get(structure);
      if (known !== undefined) return known;
      const name = wishes.slice(shared.has(structure) ? 0 : 1).find((wish) => !taken.has(wish));
      if (name === undefined) throw new Error(`every name of a type is taken: ${wishes.join(", ")}`);
      taken.add(name);
      named.set(structure, name);
      definitions.push(objectOf(member, name));
      return name;
    }

    function objectOf(member: JsonSchema, name: string): Definition {
      const required = new Set(member["required"] as string[]);
      const fields = propertiesOf(member).map(([field, property]) => ({
        name: field,
        shape: shapeOf(property, typeName(field), name),
        required: required.has(field),
        description: descriptionOf(property),
      }));
      return { name, description: descriptionOf(member), fields };
    }

    const options = optionsOf(schema);
    if (options === null) {
      definitions.push(objectOf(schema, top));
      continue;
    }
    const names = options.map((option, index) => nameOf(option, ["", top + distinction(options, index)]));
    const shape = either(names.map((name) => ({ is: "named", name })));
    definitions.push({ name: top, description: descriptionOf(schema), shape });
  }
  return definitions;
}

/** Objects that several of the schemas have. */
function sharedStructures(schemas: ReadonlyMap<string, JsonSchema>): Set<string> {
  const all = [...schemas.values()].map((schema) => new Set(structuresIn(schema)));
  return new Set(
    all.flatMap((one, index) =>
      [...one].filter((structure) => all.some((other, at) => at !== index && other.has(structure))),
    ),
  );
}

function* structuresIn(schema: JsonSchema): Generator<string> {
  const { items, additionalProperties } = schema;
  if ("properties" in schema) yield structureOf(schema);
  const members = [...(optionsOf(schema) ?? []), ...propertiesOf(schema).map(([, member]) => member)];
  for (const member of [...members, items, additionalProperties])
    if (member !== undefined) yield* structuresIn(member as JsonSchema);
}

function structureOf({ properties, required }: JsonSchema): string {
  return JSON.stringify([properties, required]);
}

function propertiesOf({ properties = {} }: JsonSchema): [string, JsonSchema][] {
  return Object.entries(properties as Record<string, JsonSchema>);
}

function optionsOf({ oneOf }: JsonSchema): readonly JsonSchema[] | null {
  return Array.isArray(oneOf) ? (oneOf as JsonSchema[]) : null;
}

/** `metric.rebase_conflict_rate` → `RebaseConflictRate`. */
export function typeName(name: string): string {
  return name
    .replace(/^metric\./, "")
    .split(/[._-]/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

function singular(name: string): string {
  return name.endsWith("eries") ? name : name.replace(/s$/, "");
}

/** What tells one option from the others: the word of a field that has another one in each. */
function distinction(options: readonly JsonSchema[], index: number): string {
  const words = options.map(
    (option) => new Map(propertiesOf(option).map(([name, { const: word }]) => [name, word])),
  );
  for (const [name, word] of words[index] ?? []) {
    const all = new Set(words.map((of) => of.get(name)));
    if (typeof word === "string" && all.size === options.length) return typeName(word);
  }
  throw new Error("no field tells the options of a choice apart");
}

function either(shapes: readonly Shape[]): Shape {
  const [only, ...more] = shapes;
  return only !== undefined && more.length === 0 ? only : { is: "either", of: shapes };
}

function descriptionOf({ description }: JsonSchema): string | null {
  return typeof description === "string" ? description : null;
}
