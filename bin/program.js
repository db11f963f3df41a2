"use strict";
/**
 * The program: `src` where that is beside us, as in a checkout, so that a checkout never runs an old bundle; otherwise the
 * bundle in `dist`, as in the image and in the npm package.
 */
const { existsSync } = require("node:fs");
const { enableCompileCache } = require("node:module");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

const SOURCE = join(__dirname, "../src/cli/program.ts");
/** Within the checkout, never in a shared folder, where others could leave code for us. */
const COMPILED = join(__dirname, "../node_modules/.cache/damascus-metrics");

exports.inCheckout = existsSync(SOURCE);

/** @param verb the first argument of `metrics`. */
exports.loadProgram = async function loadProgram(verb) {
  if (!exports.inCheckout) return require("./bundle.js").loadBundle(verb);
  // Stripping types costs more than the work of a short command. NODE_COMPILE_CACHE names another folder.
  if (process.env["NODE_COMPILE_CACHE"] === undefined) enableCompileCache(COMPILED);
  return import(pathToFileURL(SOURCE).href);
};
