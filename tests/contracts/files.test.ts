/** The files in `config/contracts/`: as they are generated, with examples that hold, and an AsyncAPI document that is one. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import specification from "@asyncapi/specs/schemas/3.0.0.json" with { type: "json" };
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { contractFiles } from "../../contracts/files.ts";
import { EVENT_KINDS, SCHEMAS } from "../../contracts/json-schema.ts";
import { readMetricsFile } from "../../src/config/metrics-file.ts";
import { PUBLISHED, readPublished } from "../../src/http/published.ts";
import { folder, parse, published, read } from "./published.ts";

describe("the files", () => {
  test("are what `npm run contracts` writes", () => {
    const file = readMetricsFile(
      fileURLToPath(new URL("../../config/metrics.json", import.meta.url)),
      "",
      [],
    );
    const generated = contractFiles(file?.metrics ?? []);
    const there = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length).replace(/^\//, ""));
    expect(new Set(there)).toStrictEqual(new Set(generated.keys()));
    for (const [path, text] of generated) expect(readFileSync(folder + path, "utf8")).toBe(text);
  });

  test("that are listed are there, with an address of their own", () => {
    for (const listed of PUBLISHED.filter(({ name }) => name !== "asyncapi")) {
      expect(parse(readPublished(listed))).toMatchObject({
        $schema: "https://json-schema.org/draft/2020-12/schema",
        $id: `urn:damascus-metrics:1:${listed.name}`,
      });
    }
  });

  test("hold an example of every kind and document, each as it would be written", () => {
    for (const [name, schema] of Object.entries(SCHEMAS)) {
      const examples = read(`examples/${name}.json`) as unknown[];
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) expect(schema.safeParse(example).error?.issues ?? []).toStrictEqual([]);
    }
  });
});

describe("the AsyncAPI document", () => {
  const document = read("asyncapi.json") as {
    readonly channels: { readonly eventsOutbox: { readonly messages: object } };
    readonly components: {
      readonly messages: Record<string, { readonly examples: readonly { readonly payload: unknown }[] }>;
      readonly schemas: Record<string, object>;
    };
  };

  test("is valid by the schema of AsyncAPI 3", () => {
    const validate = new Ajv({
      strict: false,
      validateFormats: false,
      meta: false,
      validateSchema: false,
    }).compile(specification);
    expect(validate(document) ? [] : validate.errors).toStrictEqual([]);
  });

  test("every reference leads somewhere", () => {
    const references = JSON.stringify(document).match(/(?<="\$ref":")[^"]+/g) ?? [];
    expect(references.length).toBeGreaterThan(EVENT_KINDS.length);
    for (const reference of references) {
      const steps = reference.replace(/^#\//, "").split("/");
      const target = steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], document);
      expect(target).toBeTypeOf("object");
    }
  });

  test("every message has the published schema and examples that fit it", () => {
    expect(Object.keys(document.channels.eventsOutbox.messages)).toStrictEqual(EVENT_KINDS);
    for (const kind of EVENT_KINDS) {
      const {
        $schema: _dialect,
        $id: _address,
        ...body
      } = read(`${kind}.schema.json`) as Record<string, unknown>;
      expect(document.components.schemas[kind]).toStrictEqual(body);
      const examples = document.components.messages[kind]?.examples ?? [];
      expect(examples.length).toBeGreaterThan(0);
      for (const { payload } of examples) expect(published[kind](payload)).toBe(true);
    }
  });
});
