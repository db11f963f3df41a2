/**
 * `npm test`: every process that a test starts is the program as npm installs it. That is what is shipped, and it starts in a third of
 * the time. `npx vitest run` starts the checkout's, which need not be built.
 */
import { installPackage } from "../../build/package.ts";

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env["npm_lifecycle_event"] !== "test" || process.env["TEST_ENTRY"] !== undefined)
    return undefined;
  const installed = await installPackage();
  process.env["TEST_ENTRY"] = installed.entry;
  return () => installed[Symbol.asyncDispose]();
}
