/** The dashboard's file, and its questions with variables filled in as Grafana does. */
import { readFileSync } from "node:fs";
import type { DashboardFile } from "./dashboard-schema.ts";

export const DASHBOARD_TEXT = readFileSync(
  new URL("../../config/observability/grafana-dashboard.json", import.meta.url),
  "utf8",
);
export const DASHBOARD = JSON.parse(DASHBOARD_TEXT) as DashboardFile;

/** Every panel but the rows between them. */
export const PANELS = DASHBOARD.panels.filter((panel) => panel.type !== "row");

export const QUERIES: readonly string[] = PANELS.flatMap(({ targets }) => targets.map(({ expr }) => expr));

/** Null where a scrape has no such label: Grafana then leaves the variable empty. */
export type Chosen = { readonly job: string; readonly database: string | null };

/** A question about one job and database, all of its instances and projects. */
export function asked(expr: string, { job, database }: Chosen): string {
  return expr
    .replaceAll("$job", job)
    .replaceAll("$database", database ?? "")
    .replaceAll("$instance", ".*")
    .replaceAll("$project", ".*")
    .replaceAll("$__rate_interval", "5m");
}
