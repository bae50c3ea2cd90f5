import { describe, expect, test } from 'vitest';
import { nodeAt, offsetAt } from './located-node.js';
import { readYaml } from './read-yaml.js';

const findingsIn = (text: string) =>
  readYaml(text).findings.map(({ path, offset, message }) => ({ path: path.join('.'), offset, message }));

describe('positions', () => {
  const text = 'a:\n  - { b: 1, "c": x }\nd: *e\n'.replace('{ b', '&e { b');
  const root = readYaml(text).root;

  test.each([
    ['a', 'value', text.indexOf('-')],
    ['a', 'key', 0],
    ['a.0', 'value', text.indexOf('{')],
    ['a.0.b', 'value', text.indexOf('1')],
    ['a.0.c', 'key', text.indexOf('"c"')],
    ['a.0.missing', 'value', text.indexOf('{')],
    ['a.7', 'value', text.indexOf('-')],
    ['d.b', 'value', text.indexOf('1')],
    ['x.y.z', 'value', 0],
  ] as const)('%s (%s) stands at %d', (path, place, offset) => {
    const steps = path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    expect(root && offsetAt(root, steps, place)).toBe(offset);
  });

  test('a scalar keeps the way it is written', () => {
    const scalar = readYaml('a: 1.0').root;
    expect(scalar && nodeAt(scalar, ['a'])).toMatchObject({ value: 1, source: '1.0' });
  });
});

describe('what is not plain data', () => {
  test.each([
    ['a: 1\nb: 2\na: 3\n', [{ path: 'a', offset: 10, message: 'the key "a" is written twice in one mapping' }]],
    [
      'a: !!binary aGk=',
      [{ path: 'a', offset: 12, message: 'expected plain data, found the tag tag:yaml.org,2002:binary' }],
    ],
    ['a: !secret x', [{ path: 'a', offset: 11, message: 'expected plain data, found the tag !secret' }]],
    ['a: !!str 1', []],
    ['? [a]\n: 1', [{ path: '', offset: 2, message: 'expected a key that is text' }]],
    [
      'a: &x { b: 1 }\nc:\n  <<: *x',
      [{ path: 'c', offset: 20, message: 'merge keys (<<) are not supported: write the fields out' }],
    ],
    ['__proto__: { polluted: 1 }', [{ path: '', offset: 0, message: 'the key __proto__ is not allowed' }]],
    ['a: *x\nb: &x 1', [{ path: 'a', offset: 3, message: 'the alias *x has no anchor &x before it' }]],
    ['a: 1\n---\nb: 2', [{ path: '', offset: 5, message: 'expected one document, found a second one' }]],
  ])('in %j is told', (text, findings) => {
    expect(findingsIn(text)).toEqual(findings);
  });

  test('keeps the first of two equal keys', () => {
    expect(readYaml('a: 1\na: 2').root?.value).toEqual({ a: 1 });
  });

  test('never reaches the prototype', () => {
    const value = readYaml('__proto__: { polluted: 1 }\nb: { constructor: { prototype: { polluted: 1 } } }').root
      ?.value;
    expect(value).toEqual({ b: { constructor: { prototype: { polluted: 1 } } } });
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('aliases', () => {
  test('stand for the anchored value', () => {
    expect(readYaml('a: &x { b: [1] }\nc: *x\nd: *x').root?.value).toEqual({
      a: { b: [1] },
      c: { b: [1] },
      d: { b: [1] },
    });
  });

  test('mean the last anchor of that name before them', () => {
    expect(readYaml('a: &x 1\nb: *x\nc: &x 2\nd: *x').root?.value).toEqual({ a: 1, b: 1, c: 2, d: 2 });
  });

  test('that multiply are stopped, once', () => {
    const levels = Array.from(
      { length: 20 },
      (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level},`.repeat(10)}]`,
    );
    expect(findingsIn(`l0: &l0 x\n${levels.join('\n')}`)).toEqual([
      expect.objectContaining({
        message: 'expected aliases that expand to at most 20000 values or 64 levels, found more',
      }),
    ]);
  });

  test('that contain themselves are stopped, once', () => {
    expect(findingsIn('a: &x [*x, *x]')).toHaveLength(1);
  });
});

test.each(['[', '{ a: ', '- ', '? '])('nesting of %j is bounded', (opening) => {
  const [finding] = readYaml(opening.repeat(5000)).findings;
  expect(finding?.message).toBe('expected at most 64 levels of nesting');
});
