/** `metrics schema`: what there is a contract of, or one contract. */
import { nearest } from "../config/nearest.ts";
import { PUBLISHED, readPublished } from "../http/published.ts";
import { jsonText, safe } from "../text/safe.ts";
import { align } from "./columns.ts";
import type { Terminal } from "./terminal.ts";

/** There is no contract of this name. */
class UnknownSchema extends Error {
  readonly exitCode = 2;

  constructor(name: string) {
    const names = PUBLISHED.map((one) => one.name);
    const meant = nearest(name, names);
    super(
      `there is no schema ${safe(name)}${meant === null ? `; there are ${names.join(", ")}` : `: did you mean ${meant}?`}`,
    );
    this.name = "UnknownSchema";
  }
}

/** @throws UnknownSchema */
export async function showSchema(
  { name, json }: { readonly name: string | undefined; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  if (name === undefined) {
    const listed = PUBLISHED.map((one) => ({ name: one.name, title: one.title }));
    const lines = align(listed.map((one) => [{ text: one.name }, { text: one.title }]));
    await terminal.out(json ? jsonText(listed, 2) : lines.map((line) => `${line}\n`).join(""));
    return 0;
  }
  const published = PUBLISHED.find((one) => one.name === name);
  if (published === undefined) throw new UnknownSchema(name);
  await terminal.out(readPublished(published));
  return 0;
}
