/** A vitest reporter that lists completely skipped suites at the end of a run; their titles have the reason. */
import type { Reporter, TestModule } from 'vitest/node';

export class SkippedSuitesReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) =>
      [...module.children.suites()]
        .filter((suite) => [...suite.children.allTests()].every((test) => test.result().state === 'skipped'))
        .map((suite) => `  ${suite.name} [${module.relativeModuleId}]`),
    );
    if (skipped.length > 0) console.log(['Skipped suites:', ...skipped, ''].join('\n'));
  }
}
