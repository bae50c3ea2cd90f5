/**
 * Usage: sum-test-results FOLDER [FAILED_STEP…]. Prints the skipped suites, the steps and the tests that failed, then the totals
 * of all reports FOLDER/STEP.json as the last line. A failed step counts as one failure unless its own report has some. Files of
 * a step that ran again, FOLDER/STEP.again.json, count as they came out then; what had failed before is named.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { addReports, ranAgain, type VitestReport } from './test-results.js';

const AGAIN = '.again.json';

const [folder, ...failedSteps] = process.argv.slice(2);
if (folder === undefined) throw new Error('Usage: sum-test-results FOLDER [FAILED_STEP…]');

const read = (file: string): VitestReport => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));
const unsteady: string[] = [];
const reports = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith('.json') && !file.endsWith(AGAIN))
    .map((file): [string, VitestReport] => {
      const step = path.basename(file, '.json');
      const again = `${step}${AGAIN}`;
      if (!existsSync(path.join(folder, again))) return [step, read(file)];
      const result = ranAgain(read(file), read(again));
      unsteady.push(...result.unsteady);
      return [step, result.report];
    }),
);
const totals = addReports([...reports.values()]);
const reportOf = (step: string): VitestReport => reports.get(step.replace(/\.again$/, '')) ?? { testResults: [] };
const unexplained = failedSteps.filter((step) => addReports([reportOf(step)]).failed === 0);

const tell = (title: string, lines: readonly string[]): void => {
  if (lines.length > 0) console.log([title, ...lines].join('\n  '));
};
tell('Skipped suites:', totals.skippedSuites);
tell('Unsteady, failed and then passed:', unsteady);
tell('Failed steps:', failedSteps);
tell('Failed tests:', totals.failures);
const failed = totals.failed + unexplained.length;
console.log(`${totals.passed} passed, ${failed} failed, ${totals.skipped} skipped`);
if (failed > 0) process.exitCode = 1;
