/** libpq's password file: lines of host:port:database:user:password, of which the first that fits counts. */
import { readFileSync, statSync } from "node:fs";
import { fileProblem } from "./file-problem.ts";
import { shown } from "./shown.ts";

export type Login = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
};

/** The password, or why there is none, to be read after the file's name. */
export type Found = { readonly password: string } | { readonly missing: string };

/** Others could read it: then it is ignored, as by libpq. */
const OTHERS = 0o077;

/** @param file its path. */
export function passwordFrom(file: string, login: Login): Found {
  let text: string;
  try {
    const { mode } = statSync(file);
    if ((mode & OTHERS) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, "0");
      return { missing: `${shown(file)} is ignored, as others may read it (mode ${octal}): chmod 600 it` };
    }
    text = readFileSync(file, "utf8");
  } catch (error) {
    return { missing: `${shown(file)} cannot be read (${fileProblem(error)})` };
  }
  const wanted = [login.host, String(login.port), login.database, login.user];
  for (const line of text.split(/\r?\n/)) {
    const password = fitting(line, wanted);
    if (password !== null && password !== "") return { password };
  }
  return { missing: `${shown(file)} has no line for ${wanted.join(":")}` };
}

/** A field, in which a backslash takes the meaning of a colon or of another one. */
const FIELD = String.raw`((?:\\.|[^:\\])*)`;
const LINE = new RegExp(`^${FIELD}:${FIELD}:${FIELD}:${FIELD}:(.*)$`);

/** The password of a line whose other fields are these, or asterisks. */
function fitting(line: string, wanted: readonly string[]): string | null {
  const fields = line.startsWith("#") ? [] : (LINE.exec(line)?.slice(1) ?? []);
  const isFor = wanted.every((value, index) => {
    const field = fields[index];
    if (field === undefined) return false;
    // Of a socket's folder libpq's line says localhost.
    return (
      field === "*" ||
      plain(field) === value ||
      (index === 0 && field === "localhost" && value.startsWith("/"))
    );
  });
  return isFor ? plain(fields[wanted.length] ?? "") : null;
}

function plain(field: string): string {
  return field.replaceAll(/\\(.)/g, "$1");
}
