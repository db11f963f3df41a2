/** What is said of `--project` where it names a project without a merge: probably it is misspelt. */
import { nearest } from "../config/nearest.ts";
import { safe } from "../text/safe.ts";
import type { Terminal } from "./terminal.ts";

type Asked = {
  readonly project: readonly string[];
  /** Whether it is a failure. */
  readonly strict?: boolean;
};

const UNKNOWN = 1;

/**
 * Says on standard error which projects have no merges.
 * @param isShown whether the output has something of a project.
 * @param recorded every project with merges; asked for only where one is not shown.
 * @returns the exit code.
 */
export async function reportUnknownProjects(
  { project: asked, strict = false }: Asked,
  isShown: (project: string) => boolean,
  recorded: () => Promise<readonly string[]>,
  terminal: Terminal,
): Promise<number> {
  const notShown = [...new Set(asked)].filter((project) => !isShown(project));
  if (notShown.length === 0) return 0;
  const known = await recorded();
  const unknown = notShown.filter((project) => !known.includes(project));
  for (const project of unknown) {
    const meant = nearest(project, known);
    const hint = meant === null ? "" : `; did you mean ${safe(meant)}?`;
    await terminal.err(`project ${safe(project)}: no merges recorded${hint}\n`);
  }
  return strict && unknown.length > 0 ? UNKNOWN : 0;
}
