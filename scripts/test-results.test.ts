import { describe, expect, it } from 'vitest';
import { addReports, type VitestReport } from './test-results.js';

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
