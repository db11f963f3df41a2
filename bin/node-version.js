"use strict";
/** Reports a Node.js that is too old: its own words would name an inner function or a syntax error. */
const { inCheckout } = require("./program.js");

const NEEDED = 24;
const USAGE = 2;

exports.needNode = function needNode() {
  if (Number.parseInt(process.versions.node, 10) >= NEEDED) return;
  const remedy = inCheckout ? "; in its folder `npx metrics` runs on the one that npm installed" : "";
  process.stderr.write(
    `damascus-metrics needs Node.js ${NEEDED} or newer, and this is ${process.versions.node}${remedy}\n`,
  );
  process.exit(USAGE);
};
