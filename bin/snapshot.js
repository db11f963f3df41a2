#!/usr/bin/env node
/** The executable `snapshot`, which is `metrics snapshot`. */
import { keepCompiled } from "./compile-cache.js";
import { needNode } from "./node-version.js";
import { keepQuiet } from "./quiet.js";

needNode();
keepQuiet();
keepCompiled();
await import("../src/snapshot.ts");
