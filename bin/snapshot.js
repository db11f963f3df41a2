#!/usr/bin/env node
"use strict";
/** The executable `snapshot`, which is `metrics snapshot`. */
const { needNode } = require("./node-version.js");
const { loadProgram } = require("./program.js");
const { keepQuiet } = require("./quiet.js");

needNode();
keepQuiet();
void loadProgram("snapshot").then(({ enter }) => enter("snapshot"));
