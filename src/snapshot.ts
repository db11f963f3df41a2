#!/usr/bin/env node
/** The executable `snapshot`, which is `metrics snapshot`. */
import { enter } from "./cli/enter.ts";

await enter("snapshot");
