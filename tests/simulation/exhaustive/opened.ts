/**
 * Loaded before everything else (`node --import`): makes the private state of daemons visible, so that `memory.ts` can compare it. What
 * they do does not change.
 *
 *   - Private fields of classes become ordinary ones. Their names contain the file's, because a class and its parent may both
 *     have a `#log`.
 *   - A function that is made inside another one is noted with the variables of that one, which it may capture: see `scopeOf`.
 *
 * Functions that are made within inner blocks, such as a loop's, or as arguments of a call are not noted. A daemon that keeps one of
 * them is never merged with another one.
 */
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { basename } from "node:path";
import { parseAst } from "vitest/node";

/** The variables that functions made in one call of another function share. */
export type FunctionScope = {
  /** The outer function's position in its file. */
  readonly site: string;
  readonly variables: Readonly<Record<string, () => unknown>>;
  /** The scope around it; null at the top of a file. */
  readonly outer: FunctionScope | null;
};

const scopes = new WeakMap<object, FunctionScope>();

/** The variables that a function may capture; null where they are not known. */
export function scopeOf(made: object): FunctionScope | null {
  return scopes.get(made) ?? null;
}

const withGetters = new WeakSet<object>();

/** Whether an object has getters. */
export function hasGetters(made: object): boolean {
  return withGetters.has(made);
}

/** Notes a function; of an object, each of its functions. */
function note<T extends object>(made: T, scope: FunctionScope): T {
  if (typeof made === "function") scopes.set(made, scope);
  else
    for (const field of Object.values(Object.getOwnPropertyDescriptors(made))) {
      if (field.get !== undefined) withGetters.add(made);
      for (const part of Object.values(field) as unknown[])
        if (typeof part === "function" && !scopes.has(part)) scopes.set(part, scope);
    }
  return made;
}

Object.assign(globalThis, { __note: note });

type Syntax = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
};
type Insertion = { readonly at: number; readonly text: string };

const FUNCTIONS: ReadonlySet<string> = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
]);
/** Syntax with variables of its own within a function. */
const BLOCKS =
  /^(?:BlockStatement|For.*Statement|SwitchStatement|CatchClause|Class(?:Declaration|Expression))$/;

function isSyntax(value: unknown): value is Syntax {
  return typeof value === "object" && value !== null && typeof (value as Syntax).type === "string";
}

function partsOf(node: Syntax): Syntax[] {
  return Object.values(node)
    .flatMap((value) => (Array.isArray(value) ? value : [value]))
    .filter(isSyntax);
}

/** Names that a pattern or a declaration binds. */
function namesIn(pattern: unknown): string[] {
  if (!isSyntax(pattern)) return [];
  switch (pattern.type) {
    case "Identifier":
      return [pattern["name"] as string];
    case "AssignmentPattern":
      return namesIn(pattern["left"]);
    case "RestElement":
      return namesIn(pattern["argument"]);
    case "Property":
      return namesIn(pattern["value"]);
    case "VariableDeclaration":
      return (pattern["declarations"] as Syntax[]).flatMap((one) => namesIn(one["id"]));
    case "FunctionDeclaration":
    case "ClassDeclaration":
      return namesIn(pattern["id"]);
    default:
      return partsOf(pattern).flatMap(namesIn);
  }
}

function argumentsOf(call: Syntax): ReadonlySet<unknown> {
  return new Set(call["arguments"] as Syntax[]);
}

/** Functions that are made directly in a function's body, and objects with such functions. */
function madeIn(node: Syntax): Syntax[] {
  return partsOf(node).flatMap((part) => {
    if (FUNCTIONS.has(part.type)) return [part];
    if (BLOCKS.test(part.type)) return [];
    if (part.type === "CallExpression") return madeIn(part).filter((made) => !argumentsOf(part).has(made));
    if (part.type !== "ObjectExpression") return madeIn(part);
    const properties = part["properties"] as Syntax[];
    const isMethod = ({ method, kind }: Syntax): boolean =>
      method === true || kind === "get" || kind === "set";
    const others = properties.filter((one) => !isMethod(one)).flatMap(madeIn);
    return properties.some(isMethod) ? [part, ...others] : others;
  });
}

/** Notes what is made in a function and in those inside it. @param outer the scope around it. */
function noted(node: Syntax, file: string, outer: string | null): Insertion[] {
  let insertions: Insertion[] = [];
  let scope = outer;
  const body = node["body"];
  if (FUNCTIONS.has(node.type) && isSyntax(body) && body.type === "BlockStatement") {
    const statements = body["body"] as Syntax[];
    const made = statements.flatMap((one) => (FUNCTIONS.has(one.type) ? [one] : madeIn(one)));
    if (made.length > 0) {
      scope = `__scope${node.start}`;
      const declared = statements.filter(({ type }) => type.endsWith("Declaration")).flatMap(namesIn);
      const names = [...new Set([...(node["params"] as Syntax[]).flatMap(namesIn), ...declared])];
      const variables = names.map((name) => `${name}: () => ${name}`).join(", ");
      const declarations = made.flatMap((one) =>
        one.type === "FunctionDeclaration" ? [`__note(${namesIn(one["id"])[0]}, ${scope});`] : [],
      );
      insertions = [
        {
          at: body.start + 1,
          text: ` const ${scope} = { site: "${file}:${node.start}", variables: { ${variables} }, outer: ${outer} }; ${declarations.join(" ")}`,
        },
        ...made
          .filter(({ type }) => type !== "FunctionDeclaration")
          .flatMap(({ start, end }) => [
            { at: start, text: "__note(" },
            { at: end, text: `, ${scope})` },
          ]),
      ];
    }
  }
  return [...insertions, ...partsOf(node).flatMap((part) => noted(part, file, scope))];
}

function opened(source: string, url: string): string {
  const file = basename(url, ".ts").replaceAll("-", "_");
  let text = stripTypeScriptTypes(source);
  if (url.includes("/src/")) {
    const insertions = noted(parseAst(text) as unknown as Syntax, file, null);
    for (const { at, text: inserted } of insertions.toSorted((a, b) => b.at - a.at))
      text = text.slice(0, at) + inserted + text.slice(at);
  }
  return text.replaceAll(/#(?=[a-z])/g, `_${file}_`);
}

const PRODUCT = /\/(?:src|tests)\/.*\.ts$/;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const { source } = loaded;
    if (!PRODUCT.test(url) || url.includes("node_modules") || source === undefined || source === null)
      return loaded;
    return {
      ...loaded,
      format: "module",
      source: opened(typeof source === "string" ? source : Buffer.from(source as Uint8Array).toString(), url),
    };
  },
});
