import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonProblem } from './json-problem.js';
import { parseJson } from './parse-json.js';

const bytes = (text: string) => new TextEncoder().encode(text);

it('finds a problem exactly where JSON.parse refuses (property)', () => {
  const broken = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', '\\', '1', 'e', '-', ' ', ':', '\n'))
    .map(([text, at, insert]) => {
      const position = at % (text.length + 1);
      return text.slice(0, position) + insert + text.slice(position + (insert === '' ? 1 : 0));
    });
  fc.assert(
    fc.property(broken, (text) => {
      let refused = false;
      try {
        JSON.parse(text);
      } catch {
        refused = true;
      }
      expect(jsonProblem(text) !== undefined).toBe(refused);
    }),
    { seed: 3, numRuns: 2000 },
  );
});

it.each([
  ['{"a": 1,}', 8, 'a name in double quotes'],
  ['[1, 2', 5, 'a comma or ]'],
  ['[1 2]', 3, 'a comma or ]'],
  ['{"a" 1}', 5, 'a colon'],
  ["{'a': 1}", 1, 'a name in double quotes or }'],
  ['[NaN]', 1, 'a value or ]'],
  ['{"a": 01}', 7, 'a comma or }'],
  ['[1, .5]', 4, 'a value'],
  ['"tab\there"', 4, 'a value'],
  ['{} {}', 3, 'the end'],
  ['['.repeat(200_000), 200_000, 'a value or ]'],
])('names the position in %j', (text, offset, expected) => {
  expect(jsonProblem(text)).toEqual({ offset, expected });
});

it('tells line and column and never quotes the body', () => {
  const parse = () => parseJson(bytes('{\n  "secret": hunter2\n}'));
  expect(parse).toThrow('The body is not JSON: a value expected at position 14 (line 2, column 13).');
  expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow('The body is not UTF-8 text.');
  expect(() => parseJson(bytes(' '))).toThrow('The body is empty');
});
