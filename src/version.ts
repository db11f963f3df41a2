/** The version of this program, as package.json has it. */
import { readFileSync } from "node:fs";
import { packaged } from "./packaged.ts";

const manifest: unknown = JSON.parse(readFileSync(packaged("package.json"), "utf8"));

export const VERSION =
  typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "0.0.0";

export const SERVICE = "damascus-metrics";

/** The `producer` of every recorded row. */
export const PRODUCER = `${SERVICE}/${VERSION}`;
