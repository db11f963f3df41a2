/** A secret from the environment, or from the file that `<name>_FILE` names. Its value never appears in a message. */
import { readNamedFile } from "./named-file.ts";
import { shown } from "./shown.ts";

/** @param problems collects what is wrong. @returns undefined where the secret is not set, or cannot be used. */
export function readSecret(env: NodeJS.ProcessEnv, name: string, problems: string[]): string | undefined {
  const variable = `${name}_FILE`;
  const file = env[variable];
  if (file === undefined) return env[name];
  if (env[name]) {
    problems.push(`${name} and ${variable} are both set: keep one of them`);
  } else if (file.trim() === "") {
    problems.push(`${variable} is empty: it must be the path of a file that holds ${name}, or not be set`);
  } else {
    const secret = readNamedFile(file, variable, problems)?.replace(/\r?\n$/, "");
    if (secret?.trim() === "")
      problems.push(`${variable} is ${shown(file)}: the file is empty, it must hold ${name}`);
    else return secret;
  }
  return undefined;
}
