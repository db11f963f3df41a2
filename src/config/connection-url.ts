/** A connection string of libpq, read as libpq reads it: a URL, of which each part is one of its parameters. */

import { OF_OTHERS, PARAMETERS } from "./connection-parameters.ts";
import { nearest } from "./nearest.ts";

const URL_SHAPE = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE";
const SHAPE =
  /^postgres(?:ql)?:\/\/(?:(?<login>[^/?#\s]*)@)?(?<place>[^/?#\s@]*)(?:\/(?<dbname>[^?#\s]*))?(?:\?(?<parameters>[^#\s@]*))?$/;
/** A host, or an IPv6 address in brackets, and a port; several of them with commas between. */
const PLACE = /^(?<host>\[[0-9a-fA-F:.%]+\]|[^:[\],]*)(?::(?<port>\d*))?$/;

export { URL_SHAPE };

/** Its parameters, or what is wrong with it: nothing of its text, as a wrong URL may hold its password anywhere. */
export type ReadUrl =
  | { readonly parameters: ReadonlyMap<string, string> }
  | { readonly problems: readonly string[] };

export function readUrl(text: string): ReadUrl {
  const form = otherForm(text);
  if (form !== null) return { problems: [`DATABASE_URL ${form}`] };
  const { login, place = "", dbname = "", parameters = "" } = SHAPE.exec(text)?.groups ?? {};
  if (!SHAPE.test(text)) return { problems: [NOT_A_URL] };
  if (place.includes(","))
    return { problems: [`DATABASE_URL names several hosts: it must be ${severalHosts()}`] };
  const { host = "", port = "" } = PLACE.exec(place)?.groups ?? {};
  if (!PLACE.test(place)) return { problems: [NOT_A_URL] };
  const colon = login?.indexOf(":") ?? -1;
  const user = colon < 0 ? (login ?? "") : login?.slice(0, colon);
  const password = colon < 0 ? "" : (login?.slice(colon + 1) ?? "");
  const pairs: [string, string][] = [
    ["user", user ?? ""],
    ["password", password],
    ["host", host.replace(/^\[(.*)\]$/, "$1")],
    ["port", port],
    ["dbname", dbname],
    ...parameters
      .split("&")
      .filter((pair) => pair !== "")
      .map((pair): [string, string] => {
        const equals = pair.indexOf("=");
        return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
      }),
  ];
  const read = new Map<string, string>();
  const problems: string[] = [];
  for (const [name, value] of pairs) {
    const decoded = decode(value);
    if (decoded === null) return { problems: [NOT_A_URL] };
    if (!Object.hasOwn(PARAMETERS, name)) problems.push(unknown(name));
    else if (decoded !== "") read.set(name, decoded);
  }
  return problems.length > 0 ? { problems: [...new Set(problems)] } : { parameters: read };
}

const NOT_A_URL = `DATABASE_URL is not a URL: it must have the form ${URL_SHAPE}, with special characters in the user or password percent-encoded (@ as %40, / as %2F, # as %23, % as %25)`;

function severalHosts(): string {
  return PARAMETERS["host"]?.expects(",") ?? "";
}

/** What else people set, and how it becomes a URL; null where it looks like one. */
function otherForm(text: string): string | null {
  if (/^(["']).*\1$/s.test(text)) return "stands in quotes: leave them out, as nothing takes them away";
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

function unknown(name: string): string {
  const other = OF_OTHERS[name.toLowerCase()];
  if (other !== undefined) return `${name} in DATABASE_URL is not PostgreSQL's: leave it out; ${other}`;
  const meant = nearest(name, Object.keys(PARAMETERS));
  // Of a URL that was put together wrongly it may be a part of the password.
  return meant === null
    ? "DATABASE_URL has a parameter that PostgreSQL does not know: leave it out"
    : `DATABASE_URL has a parameter that PostgreSQL does not know: did you mean ${meant}?`;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
