/**
 * A daemon's memory as one text: two daemons with the same text behave alike from here on, whatever they are answered.
 *
 * It contains everything that can be reached from the daemon: fields, private ones too, entries of maps and sets, variables that a
 * function captured (`opened.ts`), and which of these are the same object. Nothing is left out: a daemon with a part that cannot be
 * read has no such text and is never merged with another one. A function that two daemons share holds no memory of either, and an
 * arrow function that is a field from the beginning captures only its object.
 *
 * It does not contain functions that are suspended. So it is used only where none is but the loop, which waits at its bell.
 */

import { type FunctionScope, hasGetters, scopeOf } from "./opened.ts";

/** Objects that every daemon of a search shares, by a name. */
export type Shared = ReadonlyMap<unknown, string>;

/** Fields that decide nothing, by class: a count that only a restore reports, and that grows with every poll. */
const IDLE: Readonly<Record<string, ReadonlySet<string>>> = { Walk: new Set(["unmarked"]) };

/** A part cannot be read: a function whose captured variables are not known, a suspended generator. */
export class Opaque extends Error {
  readonly value: unknown;

  constructor(path: readonly string[], value: unknown) {
    super(`${path.join(".")} cannot be read`);
    this.value = value;
  }
}

/** @throws Opaque */
export function memoryOf(root: unknown, shared: Shared): string {
  const places = new Map<object, number>();
  const text: string[] = [];
  const path: string[] = [];
  /** @returns whether it is written for the first time. */
  const isNew = (value: object): boolean => {
    const place = places.get(value);
    if (place === undefined) places.set(value, places.size);
    else text.push(`@${place}`);
    return place === undefined;
  };
  const say = (value: unknown): void => {
    const name = shared.get(value);
    if (name !== undefined) text.push(`<${name}>`);
    else if (typeof value === "bigint") text.push(`${value}n`);
    else if (typeof value === "function") sayFunction(value);
    else if (typeof value !== "object" || value === null) text.push(JSON.stringify(value) ?? "undefined");
    else if (isNew(value)) sayObject(value);
  };
  const sayFunction = (made: object): void => {
    const scope = scopeOf(made);
    if (scope === null) throw new Opaque(path, made);
    text.push("=>");
    sayScope(scope);
  };
  const sayScope = (scope: FunctionScope): void => {
    if (!isNew(scope)) return;
    text.push(scope.site, "{");
    for (const [name, variable] of Object.entries(scope.variables)) {
      text.push(name, ":");
      path.push(name);
      sayVariable(variable);
      path.pop();
      text.push(",");
    }
    if (scope.outer !== null) sayScope(scope.outer);
    text.push("}");
  };
  const sayVariable = (variable: () => unknown): void => {
    let value: unknown;
    try {
      value = variable();
    } catch {
      // Its declaration was not reached.
      text.push("unset");
      return;
    }
    say(value);
  };
  const sayObject = (value: object): void => {
    if (value instanceof Uint8Array) {
      text.push(Buffer.from(value).toString("base64"));
      return;
    }
    const kind = kindOf(value, path);
    text.push(kind, "{");
    if (value instanceof Map || value instanceof Set) for (const entry of value) say(entry);
    const getters = hasGetters(value);
    for (const key of Object.keys(value)) {
      const getter: unknown = getters ? Object.getOwnPropertyDescriptor(value, key)?.["get"] : undefined;
      const field = getter ?? (value as Record<string, unknown>)[key];
      if (typeof field === "function" && isArrow(value.constructor, key)) continue;
      if (IDLE[kind]?.has(key) === true) continue;
      text.push(key, ":");
      path.push(key);
      say(field);
      path.pop();
      text.push(",");
    }
    text.push("}");
  };
  say(root);
  return text.join("");
}

const BUILT_IN: ReadonlySet<unknown> = new Set([Object, Array, Map, Set]);
/** By class: whether its fields are visible. */
const seen = new Map<unknown, boolean>();

function kindOf(value: object, path: readonly string[]): string {
  const { constructor } = value;
  if (typeof constructor !== "function") throw new Opaque(path, value);
  if (BUILT_IN.has(constructor)) return constructor.name;
  const visible = seen.get(constructor) ?? isOpened(constructor);
  seen.set(constructor, visible);
  if (!visible) throw new Opaque(path, value);
  return constructor.name;
}

function isOpened(constructor: unknown): boolean {
  const source = Function.prototype.toString.call(constructor);
  return source.startsWith("class ") && !/[^&]#[a-z]/.test(source);
}

const arrows = new Map<unknown, Map<string, boolean>>();

/** Whether the class initializes this field with an arrow function. */
function isArrow(constructor: unknown, field: string): boolean {
  const ofClass = arrows.get(constructor) ?? new Map<string, boolean>();
  arrows.set(constructor, ofClass);
  const known = ofClass.get(field);
  if (known !== undefined) return known;
  const source = Function.prototype.toString.call(constructor);
  const arrow = new RegExp(`\\n\\s+${field}\\s*=\\s*(?:async\\s*)?\\([^()]*\\)\\s*=>`).test(source);
  ofClass.set(field, arrow);
  return arrow;
}
