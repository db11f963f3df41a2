#!/usr/bin/env node
/** The executable `metrics`. */
import { keepCompiled } from "./compile-cache.js";
import { needNode } from "./node-version.js";
import { keepQuiet } from "./quiet.js";

needNode();
keepQuiet();
keepCompiled();
// A daemon that is told to end while it is still being loaded has nothing to finish. `src/cli/daemon-process.ts` takes this over.
if (process.argv[2] === "run")
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(0));
await import("../src/main.ts");
