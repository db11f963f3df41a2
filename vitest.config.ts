import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const POSTGRES_TESTS = "tests/**/*.pg.test.ts";
const LONGEST = "/tests/faults/chaos.pg.test.ts";

/** Where no earlier run tells how long files take, the largest come first: the longest, a small one, would end alone. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLongest = ({ moduleId }: TestSpecification): number => (moduleId.endsWith(LONGEST) ? 1 : 0);
    return sorted.toSorted((one, other) => isLongest(other) - isLongest(one));
  }
}

export default defineConfig({
  test: {
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Of what must be right: `npm run coverage`. Processes that tests start are not counted.
    coverage: {
      include: ["src/core/**", "src/postgres/**"],
      reporter: ["text"],
      reportOnFailure: true,
      reportsDirectory: "node_modules/.cache/coverage",
    },
    projects: [
      {
        test: {
          name: "unit",
          include: ["tests/**/*.test.ts"],
          exclude: [POSTGRES_TESTS],
          setupFiles: "tests/support/properties.ts",
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "pg",
          include: [POSTGRES_TESTS],
          globalSetup: "tests/support/postgres-setup.ts",
          // What ends a test that waits for ever; a busy machine is no failure.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
