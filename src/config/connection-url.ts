/**
 * A connection string of libpq, read as libpq reads it: a URL, of which each part is one of its parameters. No message
 * quotes the URL, because a wrong one may have its password anywhere.
 */
import { OF_OTHERS, PARAMETERS } from "./connection-parameters.ts";
import { nearest } from "./nearest.ts";

export const URL_SHAPE = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE";
const SHAPE =
  /^postgres(?:ql)?:\/\/(?:(?<user>[^/?#\s:]*)(?::(?<password>[^/?#\s]*))?@)?(?<place>[^/?#\s@]*)(?:\/(?<dbname>[^?#\s]*))?(?:\?(?<parameters>[^#\s@]*))?$/;
/** A host, or an IPv6 address in brackets, and a port. */
const PLACE = /^(?:\[(?<address>[0-9a-fA-F:.%]+)\]|(?<host>[^:[\],]*))(?::(?<port>\d*))?$/;

const NOT_A_URL = `is not a URL: it must have the form ${URL_SHAPE}, with special characters in the user or password percent-encoded (@ as %40, / as %2F, # as %23, % as %25)`;

/** @param problems collects what is wrong. @returns the parameters that have a value; null if anything is wrong. */
export function readUrl(text: string, problems: string[]): ReadonlyMap<string, string> | null {
  const parts = SHAPE.exec(text)?.groups;
  const place = PLACE.exec(parts?.["place"] ?? "")?.groups;
  const refuse = (problem: string): null => {
    problems.push(`DATABASE_URL ${problem}`);
    return null;
  };
  const form = otherForm(text);
  if (form !== null) return refuse(form);
  if (parts?.["place"]?.includes(","))
    return refuse(`names several hosts: it must be ${PARAMETERS["host"]?.[1](",")}`);
  if (parts === undefined || place === undefined) return refuse(NOT_A_URL);
  const pairs = [
    ["user", parts["user"]],
    ["password", parts["password"]],
    ["host", place["address"] ?? place["host"]],
    ["port", place["port"]],
    ["dbname", parts["dbname"]],
    ...(parts["parameters"] ?? "").split("&").map((pair) => pair.split(/=(.*)/s)),
  ];
  const read = new Map<string, string>();
  const unknown = new Set<string>();
  for (const [name = "", value = ""] of pairs) {
    const decoded = decode(value);
    if (decoded === null) return refuse(NOT_A_URL);
    if (name !== "" && !Object.hasOwn(PARAMETERS, name)) unknown.add(unknownText(name));
    else if (decoded !== "") read.set(name, decoded);
  }
  problems.push(...unknown);
  return unknown.size > 0 ? null : read;
}

/** Common mistakes and how to correct them; null if the text looks like a URL. */
function otherForm(text: string): string | null {
  if (/^(["']).*\1$/s.test(text)) return "is in quotes: remove them, as nothing else does";
  if (/^jdbc:/i.test(text))
    return `is JDBC's: leave out jdbc:, and write the login before the host, as in ${URL_SHAPE}`;
  const driver = /^(postgres(?:ql)?)\+([a-z0-9]{1,20}):\/\//i.exec(text);
  if (driver !== null)
    return `names the driver ${driver[2]}: leave out +${driver[2]}, and begin with ${driver[1]}://`;
  if (/^(export\s+)?DATABASE_URL\s*=/.test(text)) return "begins with its own name: leave that out";
  if (/^psql\s/.test(text)) return "is a command: leave out psql";
  if (/^\s*(host|hostaddr|dbname|user|port|service|password)\s*=/.test(text))
    return `is a list of parameters: write it as a URL, ${URL_SHAPE}, or set PGHOST, PGPORT, PGUSER, PGDATABASE`;
  const scheme = /^([a-z][a-z0-9.-]{0,20}):\/\//i.exec(text)?.[1];
  if (scheme !== undefined && !/^postgres(ql)?$/.test(scheme))
    return `is not a URL of PostgreSQL: it begins with ${scheme}:// and must begin with postgresql://`;
  return null;
}

/** Names the parameter only if it is a known word: in a malformed URL it may be part of the password. */
function unknownText(name: string): string {
  const other = OF_OTHERS[name.toLowerCase()];
  if (other !== undefined) return `${name} in DATABASE_URL is not PostgreSQL's: leave it out; ${other}`;
  const meant = nearest(name, Object.keys(PARAMETERS));
  return `DATABASE_URL has a parameter that PostgreSQL does not know: ${meant === null ? "leave it out" : `did you mean ${meant}?`}`;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
