/** `metrics schema`: the names of the contracts, or one contract. */
import { Argument } from "commander";
import { suggestion } from "../config/nearest.ts";
import { Failed } from "../failed.ts";
import { jsonText, safe } from "../text/safe.ts";
import { align } from "./columns.ts";
import { formatOf, sharedOptions } from "./options.ts";
import type { Verb } from "./verb.ts";

export const schema: Verb = {
  name: "schema",
  what: "print the JSON Schemas of the events and documents, or the AsyncAPI document",
  examples: ["metrics schema", "metrics schema metric.threshold_crossed", "metrics schema asyncapi"],
  environment: [],
  exits: { 0: true, 2: "unknown name" },
  options: [
    new Argument("[name]", "the one to print; without a name, all are listed"),
    ...sharedOptions({ formats: ["json"] }),
  ],
  async run(flags, { terminal }, name) {
    const { PUBLISHED, readPublished } = await import("../http/published.ts");
    const published = PUBLISHED.find((one) => one.name === name);
    if (published !== undefined) await terminal.out(readPublished(published));
    else if (name !== undefined)
      throw new Failed(
        2,
        `unknown schema ${safe(name)}${suggestion(
          name,
          PUBLISHED.map((one) => one.name),
        )}`,
      );
    else if (formatOf(flags) === "json")
      await terminal.out(
        jsonText(
          PUBLISHED.map(({ name: one, title }) => ({ name: one, title })),
          2,
        ),
      );
    else
      for (const line of align(PUBLISHED.map((one) => [one.name, one.title])))
        await terminal.out(`${line}\n`);
    return 0;
  },
};
