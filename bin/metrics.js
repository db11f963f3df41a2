#!/usr/bin/env node
/** The executable `metrics`. */
import "./compile-cache.js";

await import("../src/main.ts");
