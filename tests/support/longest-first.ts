/** The order of a run's files: the longest begin first, so that no core is idle while the last one ends. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Vitest knows how long files take only after a run, and runs one project after the other. */
const LONGEST = ["simulation/exhaustive.test.ts", "faults/chaos.pg.test.ts", "page/page.test.ts"];

function place({ moduleId }: TestSpecification): number {
  const index = LONGEST.findIndex((name) => moduleId.endsWith(name));
  return index < 0 ? LONGEST.length : index;
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- not an array's
    const others = await super.sort(files);
    return others.toSorted((a, b) => place(a) - place(b));
  }
}
