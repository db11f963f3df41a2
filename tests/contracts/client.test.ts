/** The generated types for consumers: a checker accepts what is published, and finds what is wrong. */
import { mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { typeName } from "../../contracts/client-shapes.ts";
import { DOCUMENT_NAMES, EVENT_KINDS } from "../../contracts/json-schema.ts";
import { findProgram, runProgram } from "../support/programs.ts";
import { folder, read } from "./published.ts";

// A checker reads its whole standard library first.
vi.setConfig({ testTimeout: 120_000 });

const MODULES = fileURLToPath(new URL("../../node_modules/", import.meta.url));

type Example = Readonly<Record<string, unknown>>;

const examplesOf = (name: string): Example[] => read(`examples/${name}.json`) as Example[];

/** Every published example by its type. */
const EXAMPLES = [...EVENT_KINDS, ...DOCUMENT_NAMES].flatMap((name) =>
  examplesOf(name).map((example) => [typeName(name), example] as const),
);
const [CROSSED = {}] = examplesOf("metric.threshold_crossed");
const { to: _, ...LESS } = CROSSED;
/** A field is missing, a word is another one, a field is unknown. */
const WRONG = [LESS, { ...CROSSED, to: "unknown" }, { ...CROSSED, unheard_of: 1 }];

const linesOf = (text: string): number => text.split("\n").length - 1;

test("in TypeScript every example is of its type, kinds are distinguished, and mistakes are found", () => {
  mkdirSync(`${MODULES}.cache`, { recursive: true });
  using temporary = mkdtempDisposableSync(`${MODULES}.cache/client-`);
  const file = join(temporary.path, "consumer.ts");
  const right = `import type * as damascus from ${JSON.stringify(`${folder}damascus-metrics.ts`)};
export function stateOf(event: damascus.MetricEvent): "high" | "low" | null {
  if (event.kind !== "metric.threshold_crossed") return null;
  return event.payload.scope === "project" && event.payload.effective?.state === "unknown" ? null : event.payload.to;
}
export const examples = [
${EXAMPLES.map(([type, example]) => inTypescript(type, example)).join("")}`;
  writeFileSync(file, `${right}${WRONG.map((one) => inTypescript("ThresholdCrossed", one)).join("")}];\n`);
  const options = ["--ignoreConfig", "--noEmit", "--strict", "--exactOptionalPropertyTypes"];
  const modules = ["--module", "nodenext", "--allowImportingTsExtensions"];
  const { stdout } = runProgram(`${MODULES}.bin/tsc`, [...options, ...modules, file]);
  const mistakes = [...stdout.matchAll(/^(.*)\((\d+),\d+\): error/gm)];
  expect(mistakes.map(([, , line]) => Number(line) - linesOf(right))).toStrictEqual(
    WRONG.map((_one, at) => at + 1),
  );
});

test("in Python they are a module that can be imported", (ctx) => {
  const python = findProgram("/usr/bin/python3", "python3");
  if (python === null) return ctx.skip("python3 is not installed");
  const load = `import sys; sys.path.insert(0, ${JSON.stringify(folder)}); import damascus_metrics`;
  expect(runProgram(python, ["-B", "-c", load])).toMatchObject({ status: 0, stderr: "" });
});

test("in Python every example is of its type, kinds are distinguished, and mistakes are found", (ctx) => {
  const mypy = findProgram("mypy");
  if (mypy === null) return ctx.skip("mypy is not installed (Debian: mypy)");
  using temporary = mkdtempDisposableSync(join(tmpdir(), "client-"));
  const file = join(temporary.path, "consumer.py");
  const right = `from typing import Optional
import damascus_metrics as damascus
def state_of(event: damascus.MetricEvent) -> Optional[str]:
    if event["kind"] != "metric.threshold_crossed":
        return None
    return event["payload"]["to"]
${EXAMPLES.map(([type, example], at) => inPython(type, example, `right_${at}`)).join("")}`;
  writeFileSync(
    file,
    right + WRONG.map((one, at) => inPython("ThresholdCrossed", one, `wrong_${at}`)).join(""),
  );
  const options = ["--strict", "--no-error-summary", "--cache-dir=/dev/null"];
  const { stdout } = runProgram("/usr/bin/env", [`MYPYPATH=${folder}`, mypy, ...options, file]);
  const mistakes = new Set([...stdout.matchAll(/^.*:(\d+): error/gm)].map(([, line]) => Number(line)));
  expect([...mistakes].map((line) => line - linesOf(right))).toStrictEqual(WRONG.map((_one, at) => at + 1));
});

function inTypescript(type: string, example: Example): string {
  return `${JSON.stringify(example)} satisfies damascus.${type},\n`;
}

function inPython(type: string, example: Example, name: string): string {
  return `${name}: damascus.${type} = ${literal(example)}\n`;
}

/** A value of JSON in Python. */
function literal(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}: ${literal(member)}`,
  );
  return `{${members.join(", ")}}`;
}
