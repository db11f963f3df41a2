#!/usr/bin/env node
/** The executable `snapshot`, which is `metrics snapshot`. */
import "./compile-cache.ts";

const { enter } = await import("./cli/enter.ts");
await enter("snapshot");
