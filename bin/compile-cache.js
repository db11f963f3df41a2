/**
 * Keeps what a start compiles: stripping types costs more than the work of a short command. Plain JavaScript, like the
 * executables: what is loaded before the cache is on is compiled at every start, and the first TypeScript file among it
 * loads the compiler. In a folder of the installation, never in a shared one, where another user could leave code for
 * us; NODE_COMPILE_CACHE names another.
 */
import module from "node:module";
import { fileURLToPath } from "node:url";

export function keepCompiled() {
  if (process.env["NODE_COMPILE_CACHE"] !== undefined) return;
  module.enableCompileCache(
    fileURLToPath(new URL("../node_modules/.cache/damascus-metrics", import.meta.url)),
  );
}
