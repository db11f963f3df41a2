/** The files that come with the program: beside `src` in a checkout, beside the bundle where it is shipped. */
import { join } from "node:path";

/** @param path from the package's root. */
export function packaged(path: string): string {
  return join(import.meta.dirname, "..", path);
}
