import { describe, expect, it } from 'vitest';
import { addReports, type VitestReport } from './test-results.js';

const file = (status: string, ...tests: [suite: string, status: string][]): VitestReport['testResults'][number] => ({
  name: 'some.test.ts',
  status,
  assertionResults: tests.map(([suite, testStatus]) => ({ status: testStatus, ancestorTitles: [suite] })),
});

describe('addReports', () => {
  it('adds the tests of all files of all reports', () => {
    const quick = { testResults: [file('passed', ['a', 'passed'], ['a', 'skipped']), file('failed', ['b', 'failed'])] };
    const full = { testResults: [file('passed', ['c', 'passed'], ['c', 'todo'])] };
    expect(addReports([quick, full])).toEqual({ passed: 2, failed: 1, skipped: 2, skippedSuites: [] });
  });

  it('counts a file that did not load as one failure', () => {
    expect(addReports([{ testResults: [file('failed')] }])).toMatchObject({ passed: 0, failed: 1 });
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
