/** A scope: all merges, or those of one project. And the effective reading, which is the one a policy must use. */
import type { GateState } from "./gate.ts";
import { type Reading, valueOf } from "./reading.ts";

export type ScopeKind = "global" | "project";

/** @param project null for the global scope. */
export function scopeOf(project: string | null): ScopeKind {
  return project === null ? "global" : "project";
}

/** What a policy about a project uses: the project's own reading, else the global one, else nothing. */
export type Effective = {
  readonly scope: ScopeKind | null;
  readonly value: number | null;
  readonly state: GateState;
};

export type GatedReading = { readonly reading: Reading; readonly state: GateState };

/** The project's own reading once its window is full, else the global one once that is, else undefined. */
export function effective(project: GatedReading, global: GatedReading): Effective {
  if (project.reading.defined)
    return { scope: "project", state: project.state, value: valueOf(project.reading) };
  if (global.reading.defined) return { scope: "global", state: global.state, value: valueOf(global.reading) };
  return { scope: null, state: "unknown", value: null };
}
