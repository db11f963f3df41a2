/** An orchestrator's transactions as the steps that a schedule names. */
import { COMMIT, type Piece, piecesOf, prepared, ROLLBACK } from "../orchestrator.ts";
import type { ScopeWork } from "./scopes.ts";

export type ClientPiece = Piece & { readonly begins: boolean; readonly needsSession: boolean };

export function pieces(work: ScopeWork, name: string): ClientPiece[] {
  if (work.atOnce === true) return [atOnce(pieces({ ...work, atOnce: false }, name))];
  const [prepare, ...ends] = prepared(name, work.ends === "commit prepared");
  const twoPhases = work.ends === "commit prepared" || work.ends === "rollback prepared";
  const end = work.ends === "commit" ? COMMIT : work.ends === "rollback" ? ROLLBACK : [];
  const ofSession = [...piecesOf(work), ...(twoPhases ? [prepare] : end)];
  return [
    ...ofSession.map((piece, index) => ({ ...piece, begins: index === 0, needsSession: true })),
    ...(twoPhases ? ends : []).map((piece) => ({ ...piece, begins: false, needsSession: false })),
  ];
}

function atOnce(all: readonly ClientPiece[]): ClientPiece {
  const run: Piece["run"] = (server, session) => {
    for (const piece of all) piece.run(server, session);
  };
  return { label: all.map(({ label }) => label).join(", "), run, begins: true, needsSession: true };
}
