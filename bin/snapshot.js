#!/usr/bin/env node
/** The executable `snapshot`, which is `metrics snapshot`. */
import { keepCompiled } from "./compile-cache.js";

keepCompiled();
await import("../src/snapshot.ts");
