/** Text within HTML and XML: between tags and within quoted attributes, a parser reads it as it is. */
export function asMarkup(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
