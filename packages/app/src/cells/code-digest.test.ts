import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { codeDigest, decidingFiles, operatorFiles } from './code-digest.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

it('covers the code that decides figures, without its tests', () => {
  const files = decidingFiles().map((file) => file.replaceAll('\\', '/'));
  const has = (end: string) => files.some((file) => file.replace(/\.[jt]s$/, '').endsWith(end));
  for (const end of [
    'simulate/simulate-plan',
    'compose/simulated-run',
    'experiment/cell-thread',
    'sweep/sweep-thread',
    'served/embedded-cell',
  ])
    expect(has(end), end).toBe(true);
  expect(files.filter((file) => file.includes('.test') || file.endsWith('.d.ts'))).toEqual([]);
});

it('covers the operator only for cells on a cluster', () => {
  const isPlanLoop = (file: string) => /plan[\\/]plan-loop\.[jt]s$/.test(file);
  expect(operatorFiles().some(isPlanLoop)).toBe(true);
  expect(decidingFiles().some(isPlanLoop)).toBe(false);
});

it('changes with the code', () => {
  const file = join(folder.path, folder.write('code.js', 'export const factor = 1;'));
  const before = codeDigest([file]);
  expect(codeDigest([file])).toBe(before);
  folder.write('code.js', 'export const factor = 2;');
  expect(codeDigest([file])).not.toBe(before);
});
