#!/usr/bin/env node
/** The executable `metrics`. */
import { keepCompiled } from "./compile-cache.js";
import { needNode } from "./node-version.js";

needNode();
keepCompiled();
await import("../src/main.ts");
