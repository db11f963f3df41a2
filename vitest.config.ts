import { defineConfig } from "vitest/config";

const POSTGRES_TESTS = "tests/**/*.pg.test.ts";

export default defineConfig({
  test: {
    maxWorkers: 2,
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
          // Real servers, processes and deadlines on whatever machine it is: a second try, which the run names as flaky.
          retry: process.env["CI"] === "true" ? 1 : 0,
        },
      },
    ],
  },
});
