/**
 * Makes text from outside safe to print. A project name is any string: it must not start a line, move the cursor, retitle
 * the terminal, or read backwards. Characters that could do so are shown as escapes (CWE-150).
 */

/** Wide enough for a sensible name; a longer one cannot fill the screen. */
const WIDTH = 80;

/**
 * Control characters (C0, DEL, C1), lone surrogates, line and paragraph separators, interlinear annotations, and the
 * default-ignorable characters of Unicode: zero-width characters, bidi controls (CVE-2021-42574), tags, fillers.
 */
const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;
const UNSAFE_IN_JSON = new RegExp(`(?!\\n)${UNSAFE.source}`, "gu");

/** Characters that take two columns of a terminal: East Asian wide and full-width ones, and emoji. */
const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3040-\u3247\u3250-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u;
/** Half of a flag: two of them take two columns. */
const HALF_FLAG = /[\u{1f1e6}-\u{1f1ff}]/u;
/** Characters that are drawn onto the one before them: combining marks, and the middle and final letters of Hangul syllables. */
const COMBINING = /[\p{Mn}\p{Me}\u1160-\u11ff\ud7b0-\ud7ff]/u;

/**
 * Text for a person: unsafe characters as visible escapes, cut with an ellipsis beyond `width` columns. An escape is
 * never cut in two. Meant for one line: a line break becomes `\x0a`.
 */
export function safe(text: string, width = WIDTH): string {
  let shown = "";
  let columns = 0;
  /** As combining marks take no column, any number of them would fit. */
  let characters = 0;
  /** The longest prefix that leaves room for the ellipsis. */
  let cut = "";
  for (const character of text) {
    const piece = UNSAFE.test(character) ? visible(character) : character;
    columns += textWidth(piece);
    characters += 1;
    if (columns > width || characters > width) return `${cut}…`;
    shown += piece;
    if (columns < width && characters < width) cut = shown;
  }
  return shown;
}

/** How many columns of a terminal a safe text takes. */
export function textWidth(text: string): number {
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}

function widthOf(character: string): number {
  if (character < "\u0300") return 1;
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) && !HALF_FLAG.test(character) ? 2 : 1;
}

/**
 * JSON text that cannot drive a terminal either. Unsafe characters occur only within strings, where `\u009b` means the
 * same: a parser reads exactly the same document.
 */
export function safeJson(json: string): string {
  return json.replace(UNSAFE_IN_JSON, (character) =>
    Array.from({ length: character.length }, (_, unit) => unicodeEscape(character.charCodeAt(unit))).join(""),
  );
}

/** A document as such JSON, with a line break at its end. */
export function jsonText(document: unknown, indent = 0): string {
  return `${safeJson(JSON.stringify(document, null, indent))}\n`;
}

function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code <= 0xffff ? unicodeEscape(code) : `\\u{${code.toString(16)}}`;
}

function unicodeEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
