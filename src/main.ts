#!/usr/bin/env node
/** The executable `metrics`. */
import "./compile-cache.ts";

const { enter } = await import("./cli/enter.ts");
await enter("metrics");
