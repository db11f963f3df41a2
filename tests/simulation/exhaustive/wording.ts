/** Steps and faults in words. */
import { nameOf } from "../orchestrator.ts";
import type { Pruned } from "../scenario.ts";
import type { DaemonPlace, Place } from "./place.ts";
import type { May } from "./scopes.ts";
import type { Space } from "./space.ts";

/** A step of a schedule for a reader. */
export function describe(
  space: Space,
  place: Place,
  name: string,
): { readonly who: string; readonly what: string } {
  const index = Number(name.slice(1));
  if (name.startsWith("d"))
    return { who: daemonName(index), what: labelOf(place.daemons[index] as DaemonPlace) };
  if (name.startsWith("o"))
    return {
      who: `orchestrator ${index + 1}`,
      what: space.clients[index]?.[place.clients[index] ?? 0]?.label ?? "",
    };
  if (name.startsWith("s")) {
    const orphan = place.orphans[index];
    const what = orphan?.statement?.parts[orphan.part]?.label ?? "ends the session of a lost client";
    return { who: `the server for ${orphan?.session}`, what };
  }
  const [, which = "", how, daemon] = /^m(\d+)(?:([.!+])(\d+))?$/.exec(name) ?? [];
  const may = space.scope.may[Number(which)];
  if (may === undefined) return { who: daemonName(Number(name.slice(1, 2))), what: `${name}: time passes` };
  if (daemon === undefined) return { who: "from outside", what: befallingText(may) };
  return {
    who: daemonName(Number(daemon)),
    what: `${befallingText(may)}${how === "!" ? " while its statement is under way" : ""}`,
  };
}

const PRUNED_TEXT: Readonly<Record<Pruned | "all", string>> = {
  all: "",
  checkpoints: " that are checkpoints",
  transitions: " that are transitions",
  records: " that are records, before the newest checkpoint",
};

function labelOf({ node, part }: DaemonPlace): string {
  return node.wait.for === "answer" ? (node.wait.statement.parts[part]?.label ?? "") : "polls";
}

function befallingText(may: May): string {
  switch (may.happens) {
    case "death":
      return "dies, and another daemon starts";
    case "cut":
      return "loses its connection";
    case "refusal":
      return "gets its statement refused";
    case "stop":
      return "is asked to stop; another daemon starts after it";
    case "failover":
      return `a standby without the last ${may.lost} commits takes over`;
    case "recovery":
      return "the server recovers from a crash of one process; connections through a pooler survive";
    case "prune":
      return `retention deletes the oldest ${may.rows} rows${PRUNED_TEXT[may.only]}`;
    case "set null":
      return `${nameOf(may.item)} is deleted; the foreign key clears it from its rows`;
    case "taken":
      return `the table accepts rows of ${nameOf(may.item)}`;
  }
}

export function daemonName(index: number): string {
  return `daemon ${index + 1}`;
}
