import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tests/support/longest-first.ts";

/** Ends a test that would wait indefinitely: a busy machine is not a failure. */
const TIMEOUT_MS = 120_000;
const POSTGRES_TESTS = "tests/**/*.pg.test.ts";

export default defineConfig({
  test: {
    // Most tests of the database wait for it: four workers keep two cores busy.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // Modules are loaded once for each worker, not for each file.
    isolate: false,
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
          globalSetup: "tests/support/package-setup.ts",
          setupFiles: "tests/support/properties.ts",
          testTimeout: TIMEOUT_MS,
        },
      },
      {
        test: {
          name: "pg",
          include: [POSTGRES_TESTS],
          globalSetup: ["tests/support/package-setup.ts", "tests/support/postgres-setup.ts"],
          testTimeout: TIMEOUT_MS,
          hookTimeout: TIMEOUT_MS,
        },
      },
    ],
  },
});
