/** Colours and weights for a terminal. The words alone say the same. */
import { styleText } from "node:util";
import { CATALOGUE } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import type { MetricName } from "../core/metric.ts";

export function paint(style: Parameters<typeof styleText>[0], text: string, colour: boolean): string {
  return colour ? styleText(style, text, { validateStream: false }) : text;
}

/** Green where the gate permits, red where it restricts. @param text the state in words. */
export function paintState(metric: MetricName, state: GateState, text: string, colour: boolean): string {
  const style = state === "unknown" ? "yellow" : state === CATALOGUE[metric].permissive ? "green" : "red";
  return paint(style, text, colour);
}
