/**
 * Usage: sum-test-results FOLDER [FAILED_STEP…]. Prints the skipped suites, the totals of each report FOLDER/STEP.json,
 * and the steps and tests that failed. The last line has the totals of all reports. A failed step counts as one failure
 * unless its own report has failures.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { addReports, type TestTotals, type VitestReport } from './test-results.js';

const [folder, ...failedSteps] = process.argv.slice(2);
if (folder === undefined) throw new Error('Usage: sum-test-results FOLDER [FAILED_STEP…]');

const reports = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file): [string, VitestReport] => [
      path.basename(file, '.json'),
      JSON.parse(readFileSync(path.join(folder, file), 'utf8')),
    ]),
);
const totals = addReports([...reports.values()]);
const unexplained = failedSteps.filter((step) => addReports([reports.get(step) ?? { testResults: [] }]).failed === 0);

const tell = (title: string, lines: readonly string[]): void => {
  if (lines.length > 0) console.log([title, ...lines].join('\n  '));
};
tell('Skipped suites:', totals.skippedSuites);
tell(
  'Tests by step:',
  [...reports].map(([step, report]) => `${step}: ${count(addReports([report]))}`),
);
tell('Failed steps:', failedSteps);
tell('Failed tests:', totals.failures);
const failed = totals.failed + unexplained.length;
console.log(count({ ...totals, failed }));
if (failed > 0) process.exitCode = 1;

function count({ passed, failed, skipped }: Pick<TestTotals, 'passed' | 'failed' | 'skipped'>): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
