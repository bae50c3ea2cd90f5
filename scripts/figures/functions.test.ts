import { expect, it } from 'vitest';
import { countSpreads, listFunctions, quantile } from './functions.js';
import { parseText } from './source-files.js';

it('lists functions with their names and lines', () => {
  const text =
    'function a() {\n}\nclass C {\n  get b() { return 1; }\n  constructor() {\n  }\n}\nconst c = () => 1;\n[].map(() => {});\n';
  expect(listFunctions(parseText('a.ts', text)).map(({ name, line, lines }) => `${name} ${line} ${lines}`)).toEqual([
    ...['a 1 2', 'b 4 1', 'constructor 5 2', 'c 8 1', '(anonymous) 9 1'],
  ]);
});

it('counts spreads of literals and of conditions', () => {
  const text = 'const o = { ...{ a, b }, ...(c && { c }), ...(d ? { d } : {}), ...e };';
  expect(countSpreads(parseText('a.ts', text))).toEqual({ literal: 1, conditional: 2 });
});

it.each([
  [[3, 1, 2], 0.5, 2],
  [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9, 9],
  [[], 0.5, 0],
])('takes of %j the quantile %d', (values, share, expected) => {
  expect(quantile(values, share)).toBe(expected);
});
