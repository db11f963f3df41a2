/** Entry of `snapshot`; `bin/snapshot.js` leads here. */
import { enter } from "./cli/program.ts";

await enter("snapshot");
