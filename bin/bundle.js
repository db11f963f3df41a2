"use strict";
/**
 * The bundle, with what V8 compiled of it when verbs of the same group did their work at build time. Functions are compiled
 * when they first run, so a cache that is taken before, as Node.js takes its own, lacks most of them.
 *
 * A cache of another Node.js has another name, and V8 rejects one that was made under other flags. Either only costs time.
 */
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

const FOLDER = join(__dirname, "../dist");
const FILE = join(FOLDER, "program.js");
const READING = ["snapshot", "history", "explain", "verify", "simulate"];

exports.cacheFile = function cacheFile(verb) {
  const group = verb === "run" ? "run" : READING.includes(verb) ? "reading" : "other";
  return join(FOLDER, `${group}-${process.version}-${process.platform}-${process.arch}.cache`);
};

/** @param compiled is given the script before it runs. @returns what the bundle exports. */
exports.loadBundle = function loadBundle(verb, compiled = () => undefined) {
  const script = new Script(readFileSync(FILE, "utf8"), {
    filename: FILE,
    cachedData: contentOf(exports.cacheFile(verb)),
  });
  compiled(script);
  const program = { exports: {} };
  script.runInThisContext()(program.exports, require, program, FOLDER);
  return program.exports;
};

function contentOf(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
