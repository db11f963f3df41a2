/** `npm run test:compose`: the compose services for real. Apart from `npm test`, as it builds images and takes a minute. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/compose/*.compose.ts"],
    reporters: ["verbose"],
    // Each step begins where the one before it ended.
    bail: 1,
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
