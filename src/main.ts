/** Entry of `metrics`; `bin/metrics.js` leads here. */
import { enter } from "./cli/enter.ts";

await enter("metrics");
