/** `metrics schema`: the names of the contracts, or one contract. */
import type { Command } from "commander";
import { nearest } from "../config/nearest.ts";
import { jsonText, safe } from "../text/safe.ts";
import { align } from "./columns.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import { formatOf, type SharedFlags, shared } from "./options.ts";
import type { Cli } from "./verbs.ts";

class UnknownSchema extends Error {
  readonly exitCode = 2;
}

export function defineSchema(command: Command, { terminal }: Cli): void {
  describe(command, {
    what: "print the JSON Schemas of the events and documents, or the AsyncAPI document",
    examples: ["metrics schema", "metrics schema metric.threshold_crossed", "metrics schema asyncapi"],
    environment: ENVIRONMENT.none,
    exits: { 0: true, 2: "unknown name" },
  }).argument("[name]", "the one to print; without a name, all are listed");
  shared(command, { formats: ["json"] }).action(async (name: string | undefined, flags: SharedFlags) => {
    await terminal.out(await schema(name, formatOf(flags) === "json"));
  });
}

/** @throws UnknownSchema */
async function schema(name: string | undefined, json: boolean): Promise<string> {
  const { PUBLISHED, readPublished } = await import("../http/published.ts");
  if (name === undefined) {
    const listed = PUBLISHED.map((one) => ({ name: one.name, title: one.title }));
    const lines = align(listed.map((one) => [one.name, one.title]));
    return json ? jsonText(listed, 2) : lines.map((line) => `${line}\n`).join("");
  }
  const published = PUBLISHED.find((one) => one.name === name);
  if (published !== undefined) return readPublished(published);
  const names = PUBLISHED.map((one) => one.name);
  const meant = nearest(name, names);
  const hint = meant === null ? `; known are ${names.join(", ")}` : `: did you mean ${meant}?`;
  throw new UnknownSchema(`unknown schema ${safe(name)}${hint}`);
}
