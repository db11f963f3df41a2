/** Escapes text for HTML and XML, between tags and within quoted attributes. */
export function asMarkup(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
