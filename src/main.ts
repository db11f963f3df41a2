/** Entry of `metrics`; `bin/metrics.js` leads here. */
import { enter } from "./cli/program.ts";

await enter("metrics");
