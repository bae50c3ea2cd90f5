/**
 * Adds up the JSON files that vitest writes. A file that could not be loaded counts as one failure, because no test of
 * it ran. A suite whose tests were all skipped is named by its title, which carries the reason.
 */

/** Tests by outcome, the titles of suites that did not run, and failures with the first line of their reason. */
export interface TestTotals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skippedSuites: readonly string[];
  readonly failures: readonly string[];
}

/** The part of a vitest JSON report that is read here. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    /** Why a file did not load. */
    readonly message?: string;
    readonly assertionResults: readonly TestResult[];
  }[];
}

interface TestResult {
  readonly status: string;
  readonly ancestorTitles: readonly string[];
  readonly title: string;
  readonly failureMessages?: readonly string[] | null;
}

/** The totals over all reports; skipped suites are sorted and named once. */
export function addReports(reports: readonly VitestReport[]): TestTotals {
  const files = reports.flatMap(({ testResults }) => testResults);
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const count = (status: string): number => tests.filter((test) => test.status === status).length;
  const notLoaded = files.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  const passed = count('passed');
  const failedTests = count('failed');
  return {
    passed,
    failed: failedTests + notLoaded.length,
    skipped: tests.length - passed - failedTests,
    skippedSuites: [...new Set(reports.flatMap(skippedSuites))].sort(),
    failures: reports.flatMap(failures),
  };
}

function failures({ testResults }: VitestReport): string[] {
  return testResults.flatMap(({ name, status, message = '', assertionResults }) => {
    if (status === 'failed' && assertionResults.length === 0) return [`${name}: ${firstLine(message)}`];
    const failed = assertionResults.filter((test) => test.status === 'failed');
    return failed.map((test) => `${name}: ${titleOf(test)}: ${firstLine(test.failureMessages?.[0] ?? '')}`);
  });
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

function skippedSuites({ testResults }: VitestReport): string[] {
  return testResults.flatMap(({ assertionResults }) => {
    const ran = assertionResults.filter(({ status }) => status === 'passed' || status === 'failed').map(suiteTitle);
    return assertionResults.map(suiteTitle).filter((title) => title !== '' && !ran.includes(title));
  });
}

function suiteTitle({ ancestorTitles }: { readonly ancestorTitles: readonly string[] }): string {
  return ancestorTitles[0] ?? '';
}

const titleOf = ({ ancestorTitles, title }: TestResult): string => [...ancestorTitles, title].join(' > ');
