/**
 * `npm run build`: the program as it is shipped, in `dist`. One script of `src` and its libraries, which saves finding and
 * reading hundreds of files at each start; beside it what V8 compiled of it (`bin/bundle.js`), the licences of the libraries
 * and a bill of materials.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { takeCaches } from "./caches.ts";
import { billOfMaterials, librariesOf, licencesOf } from "./libraries.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** It requires the file beside it by a path that only exists at run time. */
const pgFormat: Plugin = {
  name: "pg-format",
  setup(building) {
    building.onLoad({ filter: /pg-format\/lib\/index\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace("__dirname + '/reserved.js'", "'./reserved.js'"),
    }));
  },
};

/** Modules of Node.js that take milliseconds to load and that most commands do not need: loaded when a member is first used. */
const SELDOM_USED =
  /^(node:)?(child_process|cluster|crypto|dns|fs\/promises|http2|https|stream\/consumers|tls|worker_threads|zlib)$/;
const loadedWhenUsed: Plugin = {
  name: "loaded-when-used",
  setup(building) {
    building.onResolve({ filter: SELDOM_USED }, ({ path, namespace }) =>
      namespace === "loaded-when-used" ? { path, external: true } : { path, namespace: "loaded-when-used" },
    );
    building.onLoad({ filter: SELDOM_USED, namespace: "loaded-when-used" }, ({ path }) => {
      const members = Object.keys(process.getBuiltinModule(path) ?? {});
      const getters = members.map((name) => `get ${name}() { return require("${path}").${name}; }`);
      return { contents: `module.exports = { ${getters.join(", ")} };` };
    });
  },
};

/** What zod says in 40 languages, a seventh of the bundle: each of our schemas has messages of its own. */
const noLanguages: Plugin = {
  name: "no-languages",
  setup(building) {
    building.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({ contents: "export {};" }));
  },
};

const { outputFiles, warnings, metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ["src/cli/program.ts"],
  bundle: true,
  write: false,
  // Half as much to read. Names stay, so a stack still says where.
  minifyWhitespace: true,
  lineLimit: 200,
  metafile: true,
  // They are in a file of their own.
  legalComments: "none",
  platform: "node",
  target: "node24",
  // As CommonJS a module is evaluated when it is first imported, in one file too; as ESM all of them at the start.
  format: "cjs",
  banner: { js: "(function (exports, require, module, __dirname) {" },
  footer: { js: "})" },
  // A script has no import().
  supported: { "dynamic-import": false },
  define: { "import.meta.dirname": "__dirname" },
  // Each is asked for only where a setting that we do not use wants it.
  external: ["pg-native", "@fastify/ajv-compiler", "@fastify/fast-json-stringify-compiler"],
  plugins: [pgFormat, loadedWhenUsed, noLanguages],
});
// Such as a second place that reads `import.meta`, of which a CommonJS script has nothing.
if (warnings.length > 0) throw new Error("esbuild has warnings");
// V8 keeps text beyond ASCII with two bytes for each character: 3 MB more of memory. esbuild leaves some in templates.
const text = (outputFiles[0]?.text ?? "").replace(
  /[^\0-\x7f]/g,
  (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
);
rmSync(`${ROOT}dist`, { recursive: true, force: true });
mkdirSync(`${ROOT}dist`);
writeFileSync(`${ROOT}dist/program.js`, text);
const libraries = librariesOf(ROOT, metafile);
writeFileSync(`${ROOT}dist/THIRD-PARTY-LICENCES.txt`, licencesOf(libraries));
writeFileSync(`${ROOT}dist/sbom.cdx.json`, billOfMaterials(ROOT, libraries));
await takeCaches();
