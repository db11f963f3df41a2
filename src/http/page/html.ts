/** HTML from templates: every value becomes text, unless it is HTML that was made here. */
import { asMarkup } from "../../text/markup.ts";

/** Text that is HTML already. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Html | null | readonly Part[];

/** Strings and numbers become text, lists are joined, null is nothing. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    literals.reduce((text, literal, index) => text + written(parts[index - 1] ?? null) + literal),
  );
}

function written(part: Part): string {
  if (part === null) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(written).join("");
  return asMarkup(String(part));
}
