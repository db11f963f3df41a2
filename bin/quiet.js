"use strict";
/**
 * Nothing is printed that is not our own: among the daemon's JSON a sentence of Node's or of a library's ends `jq`. What
 * Node warns of is kept from standard error, and `run` makes a line of the log of it; DEBUG, which libraries obey, would
 * print what notifications carry.
 */
exports.keepQuiet = function keepQuiet() {
  process.removeAllListeners("warning");
  // Without a listener Node prints it under --trace-warnings.
  process.on("warning", () => undefined);
  delete process.env["DEBUG"];
};
