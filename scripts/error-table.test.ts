import { readFileSync } from 'node:fs';
import { errorCodes } from '@equipoise/core/model';
import { expect, test } from 'vitest';
import { renderErrorTable } from './error-table.js';

test('the page of errors is up to date', () => {
  expect(readFileSync('docs/reference/errors.md', 'utf8')).toBe(renderErrorTable());
});

test('the page has one row per code', () => {
  const rows = renderErrorTable()
    .split('\n')
    .filter((line) => line.startsWith('| <a id='));
  expect(rows).toHaveLength(Object.keys(errorCodes).length);
});
