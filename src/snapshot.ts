#!/usr/bin/env node
/** The executable `snapshot`, which is `metrics snapshot`. */
import { keepCompiled } from "./compile-cache.ts";

keepCompiled();
const { enter } = await import("./cli/enter.ts");
await enter("snapshot");
