import { expect, it } from 'vitest';
import { findBackArrows, listArrows } from './folder-arrows.js';
import { findStructureProblems } from './structure-problems.js';

const core = { names: 1, byWildcard: 0, wildcards: [], unused: [], testsOnly: [] };

it('accepts folders that depend in one direction, and an entry whose names are all used', () => {
  expect(findStructureProblems({ backArrows: [], core })).toEqual([]);
});

it('names the imports that run back up', () => {
  const path = (file: string) => `packages/p/src/${file}.ts`;
  const imports = [
    { from: path('a/x'), to: path('b/y') },
    { from: path('a/v'), to: path('b/y') },
    { from: path('b/y'), to: path('a/w') },
  ];
  expect(findStructureProblems({ backArrows: findBackArrows(listArrows(imports)), core })).toEqual([
    'packages/p/src/b/y.ts imports packages/p/src/a/w.ts, but packages/p/src/a depends on packages/p/src/b: move what they share to the lower folder',
  ]);
});

it('names wildcards and unused exports', () => {
  const unused = [{ entry: '@equipoise/core/plan', name: 'one', declaration: 'a.ts one', isWildcard: false }];
  const wildcards = ["a.ts: export * from './b.js'"];
  expect(findStructureProblems({ backArrows: [], core: { ...core, wildcards, unused } })).toEqual([
    "a.ts: export * from './b.js': name what the entry exports",
    '@equipoise/core/plan exports one (a.ts), which has no use outside core: take it out of the entry',
  ]);
});
