#!/usr/bin/env node
/** The executable `metrics`. */
import { keepCompiled } from "./compile-cache.ts";

keepCompiled();
const { enter } = await import("./cli/enter.ts");
await enter("metrics");
