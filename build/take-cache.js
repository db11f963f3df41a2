/** `node build/take-cache.js VERB …`: `metrics VERB …` by the bundle; when it ends, what V8 compiled is kept. */
import { writeFileSync } from "node:fs";
import { cacheFile, loadBundle } from "../bin/bundle.js";

const verb = process.argv[2];
const { enter } = loadBundle(verb, (script) => {
  process.once("exit", () => writeFileSync(cacheFile(verb), script.createCachedData()));
});
await enter("metrics");
