"use strict";
/**
 * The bundle, with what V8 compiled of it when verbs of the same group did their work at build time. Functions are compiled
 * when they first run, so a cache that is taken before, as Node.js takes its own, lacks most of them.
 *
 * A cache of another Node.js has another name, and V8 rejects one that was made under other flags. Either only costs time.
 * But V8 checks neither the cache's bytes nor, beyond its length, the program's: one damaged byte can crash Node.js. So the
 * checksum of both is the last four bytes of the file, and a cache that does not match is ignored.
 */
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");
const { crc32 } = require("node:zlib");

const FOLDER = join(__dirname, "../dist");
const FILE = join(FOLDER, "program.js");
const CHECKSUM_BYTES = 4;
const READING = ["snapshot", "history", "explain", "verify", "simulate"];

function cacheFile(verb) {
  const group = verb === "run" ? "run" : READING.includes(verb) ? "reading" : "other";
  return join(FOLDER, `${group}-${process.version}-${process.platform}-${process.arch}.cache`);
}

/** @param compiled is given the script before it runs. @returns what the bundle exports. */
exports.loadBundle = function loadBundle(verb, compiled = () => undefined) {
  const text = readFileSync(FILE);
  const script = new Script(text.toString("latin1"), {
    filename: FILE,
    cachedData: cacheOf(text, cacheFile(verb)),
  });
  compiled(script);
  const program = { exports: {} };
  script.runInThisContext()(program.exports, require, program, FOLDER);
  return program.exports;
};

/** Keeps what V8 compiled of the bundle, with the checksum. */
exports.keepCache = function keepCache(verb, cache) {
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32BE(crc32(readFileSync(FILE), crc32(cache)));
  writeFileSync(cacheFile(verb), Buffer.concat([cache, checksum]));
};

/** Undefined where the file is missing or damaged. */
function cacheOf(text, file) {
  try {
    const content = readFileSync(file);
    const cache = content.subarray(0, -CHECKSUM_BYTES);
    return crc32(text, crc32(cache)) === content.readUInt32BE(cache.length) ? cache : undefined;
  } catch {
    return undefined;
  }
}
