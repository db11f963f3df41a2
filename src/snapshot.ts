/** Entry of `snapshot`; `bin/snapshot.js` leads here. */
import { enter } from "./cli/enter.ts";

await enter("snapshot");
