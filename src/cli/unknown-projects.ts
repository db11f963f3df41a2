/** What is said of `--project` where it names a project without a merge: probably it is misspelt. */
import { nearest } from "../config/nearest.ts";
import { safe } from "../text/safe.ts";

/** A sentence for each. */
export function unknownProjects(asked: readonly string[], recorded: readonly string[]): string[] {
  const known = new Set(recorded);
  return [...new Set(asked)]
    .filter((name) => !known.has(name))
    .map((name) => {
      const meant = nearest(name, recorded);
      return `project ${safe(name)}: no merges recorded${meant === null ? "" : `; did you mean ${safe(meant)}?`}`;
    });
}
