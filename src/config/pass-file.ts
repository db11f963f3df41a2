/** libpq's password file: lines of host:port:database:user:password. The first line that fits counts. */
import { readFileSync, statSync } from "node:fs";
import { fileProblem } from "./named-file.ts";
import { shown } from "./shown.ts";

export type Login = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
};

/** The password, or why there is none, to be read after the variable's name. */
export type Found = { readonly password: string } | { readonly missing: string };

/** As libpq does, a file that others may read is ignored. */
const OTHERS = 0o077;

export function passwordFrom(path: string, { host, port, database, user }: Login): Found {
  let text: string;
  try {
    const { mode } = statSync(path);
    if ((mode & OTHERS) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, "0");
      return { missing: `${shown(path)} is ignored, as others may read it (mode ${octal}): chmod 600 it` };
    }
    text = readFileSync(path, "utf8");
  } catch (error) {
    return { missing: `${shown(path)} cannot be read (${fileProblem(error)})` };
  }
  const wanted = [host, String(port), database, user];
  for (const line of text.split(/\r?\n/)) {
    const fields = line.startsWith("#") ? [] : (LINE.exec(line)?.slice(1) ?? []);
    const password = plain(fields.pop() ?? "");
    if (password !== "" && wanted.every((value, index) => fits(fields[index] ?? "", value, index)))
      return { password };
  }
  return { missing: `${shown(path)} has no line for ${wanted.join(":")}` };
}

/** A field, in which a backslash makes a colon or another backslash a plain character. */
const FIELD = String.raw`((?:\\.|[^:\\])*)`;
const LINE = new RegExp(`^${FIELD}:${FIELD}:${FIELD}:${FIELD}:(.*)$`);

/** libpq writes the host of every socket's folder as localhost. */
function fits(field: string, value: string, index: number): boolean {
  return (
    field === "*" || plain(field) === value || (index === 0 && field === "localhost" && value.startsWith("/"))
  );
}

function plain(field: string): string {
  return field.replaceAll(/\\(.)/g, "$1");
}
