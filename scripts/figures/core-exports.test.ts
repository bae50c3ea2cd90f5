import { expect, it } from 'vitest';
import { findUnusedExports, listCoreExports, listNamesUsed } from './core-exports.js';
import { parseText } from './source-files.js';

const entries = new Map([
  ['core/plan', 'core/plan.ts'],
  ['core/serve', 'core/serve.ts'],
]);
const core = listCoreExports(entries, [
  parseText('core/plan.ts', "export * from './a.js';\nexport { type T, inner as outer } from './b.js';\n"),
  parseText('core/serve.ts', "export { one } from './a.js';\nexport { left } from './a.js';\n"),
  parseText('core/a.ts', 'export const one = 1, two = 2;\nexport function left() {}\nconst hidden = 3;\n'),
  parseText('core/b.ts', "export interface T {}\nexport { inner } from './c.js';\n"),
  parseText('core/c.ts', 'export class inner {}\n'),
]);
const unusedBy = (text: string) => [
  ...new Set(
    findUnusedExports(core, listNamesUsed([parseText('user.ts', text)], [...entries.keys()])).map(
      ({ declaration }) => declaration,
    ),
  ),
];

it('lists the names of every entry with the declaration behind re-exports', () => {
  expect(core.names.map(({ entry, name, declaration }) => `${entry} ${name}: ${declaration}`)).toEqual([
    'core/plan one: core/a.ts one',
    'core/plan two: core/a.ts two',
    'core/plan left: core/a.ts left',
    'core/plan T: core/b.ts T',
    'core/plan outer: core/c.ts inner',
    'core/serve one: core/a.ts one',
    'core/serve left: core/a.ts left',
  ]);
  expect(core.wildcards).toEqual(["core/plan.ts: export * from './a.js'"]);
});

it('counts a declaration as used if any entry is asked for it', () => {
  expect(unusedBy("import { one as uno } from 'core/serve';")).toEqual([
    ...['core/a.ts two', 'core/a.ts left', 'core/b.ts T', 'core/c.ts inner'],
  ]);
});

it.each([
  ["import type { T } from 'core/plan';", 'core/b.ts T'],
  ["let x: import('core/plan').T;", 'core/b.ts T'],
  ["export { outer } from 'core/plan';", 'core/c.ts inner'],
  ["import * as plan from 'core/plan'; plan.two;", 'core/a.ts two'],
  ["import * as plan from 'core/plan'; let x: plan.T;", 'core/b.ts T'],
  ["const { left: other } = await import('core/serve');", 'core/a.ts left'],
])('sees the use in %s', (text, declaration) => {
  expect(unusedBy(text)).not.toContain(declaration);
});

it('sees no use in the same name from elsewhere', () => {
  expect(unusedBy("import { one, two, left, T, outer } from './mine.js';")).toHaveLength(5);
});
