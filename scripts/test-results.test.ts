import { describe, expect, it } from 'vitest';
import { addReports, failedFiles, ranAgain, type VitestReport } from './test-results.js';

const file = (status: string, ...tests: [suite: string, status: string][]): VitestReport['testResults'][number] => ({
  name: 'some.test.ts',
  status,
  assertionResults: tests.map(([suite, testStatus]) => ({
    ...{ status: testStatus, ancestorTitles: [suite], title: 'works' },
    failureMessages: testStatus === 'failed' ? ['AssertionError: expected 1 to be 2\n    at line'] : [],
  })),
});

describe('addReports', () => {
  it('adds the tests of all files of all reports', () => {
    const quick = { testResults: [file('passed', ['a', 'passed'], ['a', 'skipped']), file('failed', ['b', 'failed'])] };
    const full = { testResults: [file('passed', ['c', 'passed'], ['c', 'todo'])] };
    expect(addReports([quick, full])).toEqual({
      ...{ passed: 2, failed: 1, skipped: 2, skippedSuites: [] },
      failures: ['some.test.ts: b > works: AssertionError: expected 1 to be 2'],
    });
  });

  it('counts a file that did not load as one failure', () => {
    const report = { testResults: [{ ...file('failed'), message: 'SyntaxError: no such thing\n    at line' }] };
    const failures = ['some.test.ts: SyntaxError: no such thing'];
    expect(addReports([report])).toMatchObject({ passed: 0, failed: 1, failures });
  });

  it('names once each suite of which nothing ran', () => {
    const skipped = file(
      'passed',
      ['z (needs z)', 'skipped'],
      ['z (needs z)', 'skipped'],
      ['y', 'pending'],
      ['x', 'passed'],
    );
    expect(addReports([{ testResults: [skipped] }]).skippedSuites).toEqual(['y', 'z (needs z)']);
  });
});

describe('ranAgain', () => {
  const named = (name: string, ...rest: Parameters<typeof file>) => ({ ...file(...rest), name });

  it('takes what ran again as it came out then, and tells what failed the first time alone', () => {
    const first = {
      testResults: [
        named('a', 'passed', ['a', 'passed']),
        named('b', 'failed', ['b', 'passed'], ['b', 'failed']),
        named('c', 'failed', ['c', 'failed']),
      ],
    };
    expect(failedFiles(first)).toEqual(['b', 'c']);
    const again = {
      testResults: [named('b', 'passed', ['b', 'passed'], ['b', 'passed']), named('c', 'failed', ['c', 'failed'])],
    };
    const { report, unsteady } = ranAgain(first, again);
    expect(unsteady).toEqual(['b: b > works: AssertionError: expected 1 to be 2']);
    expect(addReports([report])).toMatchObject({ passed: 3, failed: 1 });
  });

  it('counts what failed and was then skipped, or did not run, as failed', () => {
    const first = {
      testResults: [named('a', 'failed', ['a', 'failed'], ['b', 'passed']), named('b', 'failed', ['c', 'failed'])],
    };
    const again = { testResults: [named('a', 'passed', ['a', 'skipped'], ['b', 'passed']), named('b', 'passed')] };
    const { report, unsteady } = ranAgain(first, again);
    expect(unsteady).toEqual([]);
    expect(addReports([report])).toMatchObject({ passed: 1, failed: 2 });
  });
});
