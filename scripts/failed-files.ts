/** Usage: failed-files REPORT. Prints the test files of a vitest report in which something failed, one a line. */
import { readFileSync } from 'node:fs';
import { failedFiles } from './test-results.js';

const [report] = process.argv.slice(2);
if (report === undefined) throw new Error('Usage: failed-files REPORT');
for (const file of failedFiles(JSON.parse(readFileSync(report, 'utf8')))) console.log(file);
