import { expect, it } from 'vitest';
import { findStructureProblems } from './structure-problems.js';

const core = { names: 1, byWildcard: 0, wildcards: [], unused: [], testsOnly: [] };

it('accepts an entry whose names are all used', () => {
  expect(findStructureProblems({ core })).toEqual([]);
});

it('names wildcards and unused exports', () => {
  const unused = [{ entry: '@equipoise/core/plan', name: 'one', declaration: 'a.ts one', isWildcard: false }];
  expect(findStructureProblems({ core: { ...core, wildcards: ["a.ts: export * from './b.js'"], unused } })).toEqual([
    "a.ts: export * from './b.js': name what the entry exports",
    '@equipoise/core/plan exports one (a.ts), which nobody outside core uses: take it out of the entry',
  ]);
});
