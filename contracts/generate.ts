/** `npm run contracts`: writes `config/contracts/` anew. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { readMetricsFile } from "../src/config/metrics-file.ts";
import { contractFiles } from "./files.ts";

const config = fileURLToPath(new URL("../config/", import.meta.url));
const problems: string[] = [];
const file = readMetricsFile(`${config}metrics.json`, "the packaged configuration file", problems);
if (file === null) throw new Error(problems.join("\n"));

rmSync(`${config}contracts`, { recursive: true, force: true });
for (const [path, text] of contractFiles(file.metrics)) {
  const target = `${config}contracts/${path}`;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}
