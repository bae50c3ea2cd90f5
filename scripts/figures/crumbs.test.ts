import { expect, it } from 'vitest';
import { findCrumbs } from './crumbs.js';
import { listImports } from './import-graph.js';
import { parseText } from './source-files.js';

const crumbs = (files: Readonly<Record<string, string>>) => {
  const parsed = Object.entries(files).map(([file, text]) => parseText(file, text));
  return findCrumbs(parsed, listImports(parsed));
};
const SMALL = 'export const x = 1;\n';

it('finds a small file with one importer, in its own folder', () => {
  const found = crumbs({ 'p/a.ts': "import { x } from './b.js';\n", 'p/b.ts': SMALL });
  expect(found).toEqual([{ file: 'p/b.ts', importer: 'p/a.ts', lines: 1, isAlternative: false }]);
});

it.each([
  ['a second importer', { 'p/a.ts': "import './b.js';", 'p/c.ts': "import './b.js';", 'p/b.ts': SMALL }],
  ['an importer in another folder', { 'p/q/a.ts': "import '../b.js';", 'p/b.ts': SMALL }],
  ['more than 60 lines', { 'p/a.ts': "import './b.js';", 'p/b.ts': '\n'.repeat(61) }],
])('calls a file with %s none', (_, files) => {
  expect(crumbs(files)).toEqual([]);
});

it.each([
  ['an array', '[one, two(1), three]'],
  ['rows of a table', "[{ path: '/1', endpoint: one }, { path: '/2', endpoint: two }, ['/3', three]]"],
])('calls the entries of %s alternatives', (_, list) => {
  const names = ['one', 'two', 'three'];
  const registry = `${names.map((name) => `import { ${name} } from './${name}.js';`).join('\n')}\nexport const all = ${list};\n`;
  const files = Object.fromEntries(names.map((name) => [`p/${name}.ts`, SMALL]));
  expect(crumbs({ 'p/all.ts': registry, ...files }).map(({ isAlternative }) => isAlternative)).toEqual([
    true,
    true,
    true,
  ]);
});

it('needs three names in one list for alternatives', () => {
  const registry = "import { one } from './one.js';\nimport { two } from './two.js';\nexport const all = [one, two];\n";
  const found = crumbs({ 'p/all.ts': registry, 'p/one.ts': SMALL, 'p/two.ts': SMALL });
  expect(found.map(({ isAlternative }) => isAlternative)).toEqual([false, false]);
});
