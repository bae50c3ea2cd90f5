import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelValue, objectName } from './object-names.js';

describe('the name of an object', () => {
  it.each([
    [['shelf-scan', 'detect', 'small'], 'shelf-scan--detect--small'],
    [['shelf'], 'shelf'],
  ])('is the names that it is of: %j', (parts, name) => {
    expect(objectName(...parts)).toBe(name);
  });

  it.each([
    [['Shelf', 'detect'], /^shelf--detect-[0-9a-f]{8}$/],
    [['shelf', 'a/b:c'], /^shelf--a-b-c-[0-9a-f]{8}$/],
    [['2nd', 'detect'], /^p-2nd--detect-[0-9a-f]{8}$/],
    [['shelf', 'x'.repeat(63)], /^shelf--x{36}-[0-9a-f]{8}$/],
    [['___'], /^p-[0-9a-f]{8}$/],
  ])('ends in a digest where Kubernetes does not take them: %j', (parts, name) => {
    expect(objectName(...parts)).toMatch(name);
  });

  it('is a DNS label that leaves room, and each choice has one of its own', () => {
    const part = fc.string({
      unit: fc.constantFrom('a', 'b', 'A', '1', '-', '.', '_', '/'),
      minLength: 1,
      maxLength: 70,
    });
    const parts = fc.tuple(part, part, part);
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const name = objectName(...one);
        expect(name).toMatch(/^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$/);
        if (one.join('\0') !== other.join('\0')) expect(objectName(...other)).not.toBe(name);
      }),
      { seed: 1, numRuns: 500 },
    );
    expect(objectName('a-b', 'c')).not.toBe(objectName('a', 'b-c'));
  });
});

describe('the value of a label', () => {
  it('is the name where labels take it, else a name that they take', () => {
    expect(labelValue('Small.v2_b')).toBe('Small.v2_b');
    expect(labelValue('org/model:1')).toMatch(/^org-model-1-[0-9a-f]{8}$/);
  });
});
