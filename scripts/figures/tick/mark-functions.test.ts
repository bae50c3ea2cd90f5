import { afterEach, expect, it } from 'vitest';
import { markFunctions } from './mark-functions.mjs';

const marked = globalThis as { equipoiseTickMark?: (mark: string) => void };
afterEach(() => {
  delete marked.equipoiseTickMark;
});

it.each([
  ['a function', 'function a() { return 7; }\na()'],
  ['an arrow function with an expression', 'const a = () => 7;\na()'],
  ['an arrow function that returns an object', 'const a = () => ({ b: 7 });\na().b'],
  ['a method', 'class A { a() { return 7; } }\nnew A().a()'],
])('marks the entry of %s and keeps its value', (_, source) => {
  const marks: string[] = [];
  marked.equipoiseTickMark = (mark) => marks.push(mark);
  // biome-ignore lint/security/noGlobalEval: the marked text has to run.
  expect(globalThis.eval(markFunctions(source, () => 'x'))).toBe(7);
  expect(marks).toEqual(['x']);
});

it('leaves other functions alone', () => {
  const source = 'function a() {}\nfunction b() {}\n';
  expect(markFunctions(source, (name) => (name === 'b' ? 'x' : undefined))).toMatch(/^function a\(\) \{\}\n.*Mark/);
});
