#!/usr/bin/env node
/** The executable `metrics`. */
import { keepCompiled } from "./compile-cache.js";

keepCompiled();
await import("../src/main.ts");
