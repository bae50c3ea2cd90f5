/**
 * Adds up the JSON files that vitest writes. A file that could not be loaded counts as one failure, because no test of
 * it ran. A suite whose tests were all skipped is named by its title, which carries the reason.
 */

/** Tests by outcome, the titles of suites that did not run, and what failed with the first line of its reason. */
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

/** The files of a report in which something failed. */
export function failedFiles({ testResults }: VitestReport): readonly string[] {
  return testResults.flatMap(({ name, status }) => (status === 'failed' ? [name] : []));
}

/**
 * A report in which the files that ran again and passed stand as they came out then, and what had failed before in them, each with its
 * reason. A test that failed and was then skipped has not passed: its file stands as it was.
 */
export function ranAgain(
  first: VitestReport,
  again: VitestReport,
): { readonly report: VitestReport; readonly unsteady: readonly string[] } {
  const outcomes = new Map(again.testResults.map((file) => [file.name, file]));
  const steadied = first.testResults.filter((file) => hasSteadied(file, outcomes.get(file.name)));
  return {
    report: {
      testResults: first.testResults.map(
        (file) => (steadied.includes(file) ? outcomes.get(file.name) : undefined) ?? file,
      ),
    },
    unsteady: failures({ testResults: steadied }),
  };
}

type FileResult = VitestReport['testResults'][number];

function hasSteadied(first: FileResult, again: FileResult | undefined): boolean {
  if (again?.status !== 'passed') return false;
  const passed = again.assertionResults.filter(({ status }) => status === 'passed').map(titleOf);
  const failed = first.assertionResults.filter(({ status }) => status === 'failed').map(titleOf);
  return passed.length > 0 && failed.every((title) => passed.includes(title));
}

const titleOf = ({ ancestorTitles, title }: TestResult): string => [...ancestorTitles, title].join(' > ');

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
