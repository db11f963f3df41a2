import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { safe, safeJson, textWidth } from "../../src/text/safe.ts";

const HOSTILE = "x\x1b]0;pwned\x07\x1b[2J\r\nfirst_pass_merge_rate = 1.00\u202e";

describe("safe", () => {
  test("a hostile project name stays on its line and is shown for what it is", () => {
    expect(safe(HOSTILE)).toBe("x\\x1b]0;pwned\\x07\\x1b[2J\\x0d\\x0afirst_pass_merge_rate = 1.00\\u202e");
  });

  test.each([
    ["C0", "a\0b\tc\x08", "a\\x00b\\x09c\\x08"],
    ["DEL and C1", "\x7f\x80\x9b31m\x9f", "\\x7f\\x80\\x9b31m\\x9f"],
    [
      "bidi controls",
      "\u061c\u200e\u200f\u202a\u202e\u2066\u2069",
      "\\u061c\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069",
    ],
    [
      "zero-width characters",
      "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00ad",
      "a\\u200bb\\u200cc\\u200dd\\u2060e\\ufefff\\xad",
    ],
    ["line separators", "\u0085\u2028\u2029", "\\x85\\u2028\\u2029"],
    ["invisible tags", "a\u{e0041}", "a\\u{e0041}"],
    ["lone surrogates", "\ud83d-\ude00", "\\ud83d-\\ude00"],
  ])("%s are shown as escapes", (_, text, shown) => {
    expect(safe(text, 200)).toBe(shown);
  });

  test("ordinary names of any language stay as they are", () => {
    for (const name of [
      "atlas",
      "Größe",
      "проект",
      "プロジェクト",
      "مشروع",
      "🚀",
      "__proto__",
      "e\u0301",
      "a b\\c",
    ]) {
      expect(safe(name)).toBe(name);
    }
  });

  test("a long name is cut with an ellipsis, within the width and never inside an escape", () => {
    expect(safe("a".repeat(80))).toBe("a".repeat(80));
    expect(safe("a".repeat(81))).toBe(`${"a".repeat(79)}…`);
    expect(safe("abc\x1bdef", 6)).toBe("abc…");
    expect(safe("日本語日本語", 6)).toBe("日本…");
    expect(safe("🚀🚀🚀", 6)).toBe("🚀🚀🚀");
  });

  test.each([
    ["atlas", 5],
    ["e\u0301", 1],
    ["ที่", 1],
    ["\u1112\u1161\u11ab", 2],
    ["한국", 4],
    ["𠀋𠮟", 4],
    ["🇫🇷", 2],
    ["🚀", 2],
    ["ｆｕｌｌ", 8],
    ["½", 1],
  ])("%s takes %i columns", (text, columns) => {
    expect(textWidth(text)).toBe(columns);
  });

  test("marks without a width cannot make a name endless", () => {
    expect(Array.from(safe(`e${"\u0301".repeat(500)}`))).toHaveLength(80);
  });

  test("whatever the text, nothing printed can drive a terminal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(safe(text)).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
        expect(Array.from(safe(text)).length).toBeLessThanOrEqual(80);
      }),
    );
  });
});

describe("safeJson", () => {
  test("JSON with escapes for dangerous characters parses to the same document", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const json = safeJson(JSON.stringify({ [text]: [text] }, null, 2));
        expect(JSON.parse(json)).toStrictEqual(JSON.parse(JSON.stringify({ [text]: [text] })));
        expect(json.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
      }),
    );
  });

  test("its own line breaks stay", () => {
    expect(safeJson('{\n  "a": "\u009b\u{e0041}"\n}\n')).toBe('{\n  "a": "\\u009b\\udb40\\udc41"\n}\n');
  });
});
