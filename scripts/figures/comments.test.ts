import { expect, it } from 'vitest';
import { countWords, listComments } from './comments.js';
import { parseText } from './source-files.js';

const comments = (text: string) => listComments(parseText('a.ts', text));

it('strips the marks of a doc comment and keeps its lines', () => {
  expect(comments('\n/**\n * Rate, in\n * requests/s.\n */\nexport const a = 1;\n')).toEqual([
    { line: 2, isDoc: true, text: 'Rate, in\nrequests/s.' },
  ]);
});

it('joins line comments on consecutive lines, and only those', () => {
  const text = 'const a = 1; // one\n// two\n// three\n\n// four\nconst b = 2; // five\n';
  expect(comments(text).map((each) => each.text)).toEqual(['one\ntwo\nthree', 'four', 'five']);
});

it('finds comments in empty blocks and at the end, and none in strings, templates and regular expressions', () => {
  const text =
    "const a = () => { // inside\n};\nconst s = '// no', t = `/* no`, r = /\\/\\* no/, b = [/* yes */];\n// end";
  expect(comments(text).map((each) => each.text)).toEqual(['inside', 'yes', 'end']);
});

it.each([
  ['Rate, in requests/s.', 3],
  ['- one — two', 2],
  ['', 0],
])('counts the words of %j', (text, words) => {
  expect(countWords(text)).toBe(words);
});
