/** The tab's icon: a colour and a shape for the state that matters most. */
import type { Snapshot } from "../../core/snapshot.ts";
import { type Meaning, meaningOfState } from "./figures.ts";

const DRAWN = {
  "not recording":
    '<circle cx="8" cy="8" r="7" fill="#cf222e"/><path d="M5 5l6 6M11 5l-6 6" stroke="#fff" stroke-width="2"/>',
  restricted:
    '<path d="M8 1l7 13H1z" fill="#d4691e"/><path d="M8 5v5M8 11v2" stroke="#fff" stroke-width="2"/>',
  permissive:
    '<circle cx="8" cy="8" r="7" fill="#1a7f37"/><path d="M4 8l3 3 5-6" stroke="#fff" stroke-width="2" fill="none"/>',
  unknown: '<circle cx="8" cy="8" r="6" fill="none" stroke="#6e7781" stroke-width="2"/>',
};

/** As a data URL, which needs no request. */
export function icon(ready: boolean, snapshot: Snapshot | null): string {
  const shape = DRAWN[ready ? worst(snapshot) : "not recording"];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${shape}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

function worst(snapshot: Snapshot | null): Meaning {
  const meanings = (snapshot?.metrics ?? []).flatMap(({ project, metric, gate }) =>
    project === null && gate !== null ? meaningOfState(metric, gate.state) : [],
  );
  const order = ["restricted", "permissive"] as const;
  return order.find((meaning) => meanings.includes(meaning)) ?? "unknown";
}
