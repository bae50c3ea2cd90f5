/**
 * Usage: sum-test-results FOLDER [FAILED_STEP…]. Prints the skipped suites and steps that failed, then the totals of
 * all reports FOLDER/STEP.json as the last line. A failed step counts as one failure unless its own report has some.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { addReports, type VitestReport } from './test-results.js';

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

if (totals.skippedSuites.length > 0) console.log(['Skipped suites:', ...totals.skippedSuites].join('\n  '));
if (failedSteps.length > 0) console.log(['Failed steps:', ...failedSteps].join('\n  '));
const failed = totals.failed + unexplained.length;
console.log(`${totals.passed} passed, ${failed} failed, ${totals.skipped} skipped`);
if (failed > 0) process.exitCode = 1;
