import { expect, it } from 'vitest';
import { depthOf, findBackArrows, listArrows } from './folder-arrows.js';
import type { FileImport } from './import-graph.js';

const imports = (...pairs: string[]): FileImport[] =>
  pairs.map((pair) => {
    const [from = '', to = ''] = pair.split(' ');
    return { from: `packages/p/src/${from}.ts`, to: `packages/p/src/${to}.ts` };
  });
const back = (...pairs: string[]) =>
  findBackArrows(listArrows(imports(...pairs))).map(({ from, to }) =>
    `${from} ${to}`.replaceAll('packages/p/src/', ''),
  );

it('finds none where folders depend in one direction, and ignores files beside the folders', () => {
  expect(back('a/x b/y', 'b/y c/z', 'a/x c/z', 'a/x index', 'index a/x', 'a/x a/w')).toEqual([]);
});

it('finds the arrow with fewer imports of two that face each other', () => {
  expect(back('a/x b/y', 'a/v b/y', 'b/y a/w')).toEqual(['b a']);
});

it('finds a circle that leads over other folders', () => {
  expect(back('a/x b/y', 'a/v b/w', 'b/y c/z', 'b/w c/z', 'c/z a/u')).toEqual(['c a']);
});

it('counts the fewest arrows that break all circles', () => {
  expect(back('a/x b/y', 'b/y a/x', 'b/y c/z', 'c/z b/y', 'a/1 b/1', 'b/1 c/1')).toEqual(['b a', 'c b']);
  expect(back('a/x b/y', 'b/y c/z', 'c/z a/x', 'c/z d/x', 'd/x a/x')).toHaveLength(1);
});

it('looks at deeper folders among their siblings, and at no arrow between a folder and what lies in it', () => {
  expect(back('a/b/x a/c/y', 'a/c/z a/b/w', 'a/c/v a/b/w', 'a/x a/b/y', 'a/b/y a/x')).toEqual(['a/b a/c']);
  expect(depthOf('packages/p/src/a/b')).toBe(2);
});
