/** The mistakes of `npm run chaos -- --mutant` still fit the code that they are put into. */
import { expect, it } from "vitest";
import { MUTANTS, plant } from "../../chaos/mutants.ts";

it.each(Object.entries(MUTANTS))("%s fits", (_, mutant) => {
  using tree = plant(mutant);
  expect(tree.entry).toMatch(/src\/main\.ts$/);
});
