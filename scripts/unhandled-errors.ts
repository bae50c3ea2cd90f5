/**
 * A vitest reporter: writes what was thrown outside any test to the file that UNHANDLED_ERRORS_FILE names, one error a line; no file where
 * there was none. The reporter in JSON leaves such errors out, though they make a run fail.
 */
import { writeFileSync } from 'node:fs';
import type { Reporter } from 'vitest/node';

export default class UnhandledErrors implements Reporter {
  onTestRunEnd(...[, errors]: Parameters<NonNullable<Reporter['onTestRunEnd']>>): void {
    const file = process.env['UNHANDLED_ERRORS_FILE'];
    if (file === undefined || errors.length === 0) return;
    writeFileSync(file, errors.map(({ message }) => `${message.split('\n', 1)[0]}\n`).join(''));
  }
}
