/** `npm run test:artifact`: the tests that start the executables, with those of the package instead of the checkout's. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "tests/artifact/*.artifact.ts",
      "tests/cli/executables.test.ts",
      "tests/cli/{advice,quiet,watch}.pg.test.ts",
      "tests/faults/{process,snapshot}.pg.test.ts",
      "tests/security/{canary,process}.pg.test.ts",
    ],
    globalSetup: ["tests/artifact/setup.ts", "tests/support/postgres-setup.ts"],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
