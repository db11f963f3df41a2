/** The mistakes of `npm run chaos -- --mutant` still fit the code that they are put into. */
import { expect, it } from "vitest";
import { MUTANTS } from "../../chaos/mutants.ts";
import { patchedTree } from "../support/mutant.ts";

it.each(Object.entries(MUTANTS))("%s fits", async (_, { patches }) => {
  await using tree = await patchedTree(patches);
  expect(tree.path("daemon.ts")).toMatch(/src\/daemon\.ts$/);
});
