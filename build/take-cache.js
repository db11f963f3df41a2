/** `node build/take-cache.js VERB …`: `metrics VERB …` by the bundle; when it ends, what V8 compiled is kept. */
import { keepCache, loadBundle } from "../bin/bundle.js";

const verb = process.argv[2];
const { enter } = loadBundle(verb, (script) => {
  process.once("exit", () => keepCache(verb, script.createCachedData()));
});
await enter("metrics");
