#!/usr/bin/env node
/** The executable `snapshot`, which is `metrics snapshot`. */
import "./compile-cache.js";

await import("../src/snapshot.ts");
