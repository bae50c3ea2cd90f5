import { describe, expect, it } from 'vitest';
import { objectDifferences } from './object-differences.js';

describe('what an object lacks to be as wanted', () => {
  it.each([
    ['nothing where the server has more', { a: 1 }, { a: 1, b: 2 }, []],
    ['nothing where the server leaves out what is empty', { a: {}, b: [] }, {}, []],
    ['a field that is not there', { a: { b: 1 } }, { a: {} }, [{ path: 'a.b', wanted: 1 }]],
    ['a field that is another', { a: 'x' }, { a: 'y' }, [{ path: 'a', live: 'y', wanted: 'x' }]],
    ['a field of an entry', { a: [{ b: 1 }] }, { a: [{ b: 2, c: 3 }] }, [{ path: 'a[0].b', live: 2, wanted: 1 }]],
    ['a list of another length', { a: [1] }, { a: [1, 2] }, [{ path: 'a', live: [1, 2], wanted: [1] }]],
  ])('is %s', (_, wanted, live, differences) => {
    expect(objectDifferences(wanted, live)).toEqual(differences);
  });

  it('compares amounts as numbers, whatever their spelling', () => {
    const amounts = (cpu: string, memory: string) => ({ resources: { limits: { cpu, memory } } });
    expect(objectDifferences(amounts('1000m', '1073741824'), amounts('1', '1Gi'))).toEqual([]);
    expect(objectDifferences(amounts('500m', '1G'), amounts('1', '1Gi')).map(({ path }) => path)).toEqual([
      'resources.limits.cpu',
      'resources.limits.memory',
    ]);
  });

  it.each([
    ['1024Gi', '1Ti'],
    ['2e3', '2k'],
    ['1.5E', '1500P'],
    ['100m', '0.1'],
    ['250000u', '250m'],
    ['1E3', '1k'],
  ])('knows that %s is %s', (wanted, live) => {
    const amount = (storage: string) => ({ resources: { requests: { 'ephemeral-storage': storage } } });
    expect(objectDifferences(amount(wanted), amount(live))).toEqual([]);
    expect(objectDifferences(amount(wanted), amount('3'))).toHaveLength(1);
  });

  it('takes no text for an amount', () => {
    const amount = (cpu: string) => ({ resources: { requests: { cpu } } });
    expect(objectDifferences(amount('one'), amount('two'))).toHaveLength(1);
  });
});
