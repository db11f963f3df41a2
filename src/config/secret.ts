/** A secret from the environment, or from the file that `<name>_FILE` points to. Its value appears in no message. */
import { readFileSync } from "node:fs";
import { fileProblem } from "./file-problem.ts";
import { shown } from "./shown.ts";

/** @param problems collects what is wrong, in the operator's language. @returns the secret, or undefined. */
export function readSecret(env: NodeJS.ProcessEnv, name: string, problems: string[]): string | undefined {
  const direct = env[name];
  const fileVariable = `${name}_FILE`;
  const file = env[fileVariable];
  if (file === undefined) return direct;
  if (direct !== undefined && direct !== "") {
    problems.push(`${name} and ${fileVariable} are both set: keep one of them`);
    return undefined;
  }
  if (file.trim() === "") {
    problems.push(
      `${fileVariable} is empty: it must be the path of a file that holds ${name}, or not be set`,
    );
    return undefined;
  }
  let secret: string;
  try {
    secret = readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    problems.push(`${fileVariable} is ${shown(file)}: the file cannot be read (${fileProblem(error)})`);
    return undefined;
  }
  if (secret.trim() !== "") return secret;
  problems.push(`${fileVariable} is ${shown(file)}: the file is empty, it must hold ${name}`);
  return undefined;
}
