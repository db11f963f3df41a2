/** Text within HTML and XML. */

/** Text that a parser of HTML or XML reads as it is, between tags and within quoted attributes. */
export function asMarkup(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
