/** The published contracts as a consumer uses them: files, and validators made of them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import {
  DOCUMENT_NAMES,
  type DocumentName,
  EVENT_KINDS,
  type EventKind,
} from "../../contracts/json-schema.ts";

export const folder = fileURLToPath(new URL("../../config/contracts/", import.meta.url));
export const parse = (text: string): unknown => JSON.parse(text) as unknown;
export const read = (path: string): unknown => parse(readFileSync(folder + path, "utf8"));

const ajv = new Ajv2020({
  strict: true,
  strictTypes: false,
  allErrors: true,
  formats: { "date-time": true },
});
export const published = Object.fromEntries(
  [...EVENT_KINDS, ...DOCUMENT_NAMES].map((name) => [
    name,
    ajv.compile(read(`${name}.schema.json`) as object),
  ]),
) as Record<EventKind | DocumentName, ValidateFunction>;
