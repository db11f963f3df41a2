/** Every process that a test of this run starts is the program as npm installs it. */
import { installPackage } from "../../build/package.ts";

export default async function setup(): Promise<() => Promise<void>> {
  const installed = await installPackage();
  process.env["TEST_ENTRY"] = installed.entry;
  return () => installed[Symbol.asyncDispose]();
}
