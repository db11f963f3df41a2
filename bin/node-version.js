/** Says so where Node.js is too old to run TypeScript: its own words would name an inner function or a syntax error. */
const NEEDED = 24;
const USAGE = 2;

export function needNode() {
  if (Number.parseInt(process.versions.node, 10) >= NEEDED) return;
  process.stderr.write(
    `damascus-metrics needs Node.js ${NEEDED} or newer, and this is ${process.versions.node}; ` +
      "in its folder `npx metrics` runs on the one that npm installed\n",
  );
  process.exit(USAGE);
}
