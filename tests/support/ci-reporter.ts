/**
 * Counts a test run for .ci/run: prints the skipped tests with their reasons (which vitest's JSON report leaves out), and
 * writes "passed failed" to the file named by CI_COUNTS.
 */
import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

export default class CiReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    // An unhandled error fails the run without failing a test; so does a file that could not be loaded.
    let failed = unhandled.length;
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      const failedTests = tests.filter((test) => test.result().state === "failed").length;
      passed += tests.filter((test) => test.result().state === "passed").length;
      failed += module.state() === "failed" ? Math.max(1, failedTests) : failedTests;
      for (const test of tests) {
        const result = test.result();
        if (result.state !== "skipped") continue;
        const reason = result.note ?? (test.options.mode === "todo" ? "todo" : "no reason given");
        process.stdout.write(`skipped: ${test.fullName}: ${reason}\n`);
      }
    }
    const file = process.env["CI_COUNTS"];
    if (file) writeFileSync(file, `${passed} ${failed}\n`);
  }
}
