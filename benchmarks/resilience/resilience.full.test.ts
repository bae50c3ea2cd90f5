import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { unmet } from '../data-plane/bar.js';
import type { Results } from '../hostile/report.js';
import { aloneBars, attackLines, togetherBars } from './attack-lines.js';
import { reportPage } from './report.js';
import { runWithin } from './run-within.js';
import { sectionLines } from './section-lines.js';
import { suiteBars, suites } from './suite-lines.js';

const figures: Results[string]['figures'] = {
  ...{ livezMs: 40, healthMs: 10, probes: 100, good: 200, withinSlo: 199, wrong: 0, lost: {} },
  ...{ beforeMib: 400, addedMib: 60, leftMib: 5, ownDelayMs: 3, attackers: {}, forbidden: [] },
};
const result: Results[string] = { made: 'here', seconds: 3, missed: [], figures };

it('has a limit for each line, 86 minutes in all, and each suite exists', () => {
  const { poison, changes, speed } = sectionLines(undefined);
  const lines = [...attackLines, ...poison, ...changes, suites.stateFiles, ...speed, suites.refusals];
  expect(new Set(lines.map(({ name }) => name)).size).toBe(lines.length);
  expect(lines.reduce((sum, { limitMinutes }) => sum + limitMinutes, 0)).toBe(86);
  const files = Object.values(suites).flatMap((line) => line.suites.flatMap((suite) => suite.files));
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
});

it('counts attacks that miss a bar, and those that were not measured', () => {
  const results = { a: result, b: { ...result, missed: ['/livez 300 ms'] } };
  expect(unmet(aloneBars({ a: result }, ['a']).bars)).toEqual([]);
  const { bars, isWhole } = aloneBars(results, ['a', 'b', 'c']);
  expect(isWhole).toBe(false);
  expect(unmet(bars)).toEqual([
    'attacks measured alone, 3 s each: 2 (bar: ≥ 3)',
    'attacks that miss a bar: b (/livez 300 ms): 1 (bar: ≤ 0)',
  ]);
});

it('compares all attacks together with their bars', () => {
  expect(unmet(togetherBars(result))).toEqual([]);
  const worse = { ...figures, livezMs: 251, withinSlo: 189, addedMib: 129, leftMib: 33 };
  expect(unmet(togetherBars({ ...result, figures: worse }))).toHaveLength(4);
});

it('names failed, broken and skipped tests of a suite', () => {
  const test = (fullName: string, status: string) => ({ fullName, status });
  const results = [
    { name: 'a.test.ts', message: '', status: 'failed', assertionResults: [test('x', 'passed'), test('y', 'failed')] },
    { name: 'b.test.ts', message: 'no such file', status: 'failed', assertionResults: [] },
    { name: 'c.test.ts', message: '', status: 'passed', assertionResults: [test('z (needs chromium)', 'skipped')] },
  ];
  const bars = suiteBars([{ numPassedTests: 1, testResults: results }]);
  expect(unmet(bars)).toEqual(['failed tests: y; b.test.ts: no such file: 2 (bar: ≤ 0)']);
  expect(bars.at(-1)).toMatchObject({ figure: 'z (needs chromium)' });
});

it('tells lines that were missed, met, or not measured', () => {
  const lines = ['a', 'b', 'c'].map((name) => ({ name, claim: `claim ${name}` }));
  const bar = { claim: 'x', figure: '2', bar: '≤ 1', met: false };
  const kept = { made: 'here', minutes: 1, isWhole: true };
  const page = reportPage(lines, {
    a: { ...kept, bars: [bar] },
    b: { ...kept, isWhole: false, bars: [{ ...bar, met: true }], problem: 'out of time' },
  });
  expect(page).toContain('| a | claim a | **missed** (1) |');
  expect(page).toContain('| b | claim b | out of time; met |');
  expect(page).toContain('| c | claim c | not measured |');
  expect(page).toContain('| x | 2 | ≤ 1 | **missed** |');
});

it('ends a command at its limit', async () => {
  const node = (code: string) => ({ program: process.execPath, args: ['-e', code] });
  expect(await runWithin(node(''), 60_000)).toBe(true);
  const sleeper = 'require("child_process").spawn("sleep", ["3600"], { stdio: "inherit" }); setInterval(() => {}, 1e6)';
  expect(await runWithin(node(sleeper), 300)).toBe(false);
});
