import { expect, it } from 'vitest';
import { findLongSentences, findOpening, findProseProblems, findWords } from './prose-rules.js';

it.each([
  ['What a controller goes by.', 'What'],
  ['whether it is full', 'whether'],
  ['So long as it runs', 'So long'],
  ['Assigns a core.', undefined],
  ['Latency, as measured.', undefined],
])('finds the opening of %j', (comment, found) => {
  expect(findOpening(comment)).toBe(found);
});

it.each([
  ['begins anew', 'anew'],
  ['goes on with the plan', 'goes on with'],
  ['is but one', 'is but'],
  ['Dearer than before', 'Dearer'],
  ['foretold', 'foretold'],
])('finds the word in %j', (text, found) => {
  expect(findWords(`First.\n${text}`)).toEqual([{ line: 2, kind: 'word', found }]);
});

it.each(['`beside` is a value', 'the kind "dearer"', 'besides', 'the closest', 'is, but', 'candearly'])(
  'accepts %j',
  (text) => {
    expect(findWords(text)).toEqual([]);
  },
);

const words = (count: number) => Array.from({ length: count }, () => 'word').join(' ');

it('finds a sentence of more than 30 words and its line', () => {
  expect(findLongSentences(`Short.\nThe ${words(30)}. A ${words(20)}.`)).toEqual([
    { line: 2, kind: 'length', found: '31 words: The word word word word word …' },
  ]);
});

it('takes an indented block for a formula', () => {
  expect(findLongSentences(`Rate:\n\n  ${words(31)}\n\nEnd.`)).toEqual([]);
});

it('ends a sentence at a blank line and at a list item', () => {
  expect(findLongSentences(`${words(20)}\n\n${words(20)}\n- ${words(20)}`)).toEqual([]);
});

it('looks for long sentences in doc comments only, and counts lines as the file does', () => {
  const comment = { line: 7, text: `What ${words(30)}` };
  expect(findProseProblems([{ ...comment, isDoc: false }])).toEqual([{ line: 7, kind: 'opening', found: 'What' }]);
  expect(findProseProblems([{ ...comment, isDoc: true }]).map(({ kind }) => kind)).toEqual(['opening', 'length']);
});
