#!/usr/bin/env node
"use strict";
/** The executable `metrics`. */
const { needNode } = require("./node-version.js");
const { loadProgram } = require("./program.js");
const { keepQuiet } = require("./quiet.js");

needNode();
keepQuiet();
const verb = process.argv[2];
// A daemon that is asked to end while it is being loaded has nothing to finish. `src/cli/daemon-process.ts` takes this over.
if (verb === "run") for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(0));
void loadProgram(verb).then(({ enter }) => enter("metrics"));
