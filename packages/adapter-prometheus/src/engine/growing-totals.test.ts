import { describe, expect, it } from 'vitest';
import { GrowingTotals } from './growing-totals.js';

const sample = (pod: string, code: string, value: number) => ({ labels: { __name__: 'requests', pod, code }, value });

describe('totals over series', () => {
  it.each<[string, readonly (readonly ReturnType<typeof sample>[])[], number]>([
    ['count from the first sample', [[sample('a', '200', 1_000)]], 0],
    ['grow', [[sample('a', '200', 10)], [sample('a', '200', 13)]], 3],
    ['survive a restart', [[sample('a', '200', 10)], [sample('a', '200', 2)]], 2],
    [
      'do not fall when a pod leaves',
      [
        [sample('a', '200', 10), sample('b', '200', 10)],
        [sample('a', '200', 15), sample('b', '200', 12)],
        [sample('a', '200', 16)],
      ],
      8,
    ],
    [
      'count a pod that comes from its first sample',
      [[sample('a', '200', 10)], [sample('a', '200', 11), sample('b', '200', 9)]],
      1,
    ],
    [
      'count the first failures of a known pod',
      [[sample('a', '200', 10)], [sample('a', '200', 10), sample('a', '500', 3)]],
      3,
    ],
    [
      'skip what is no number',
      [[sample('a', '200', 10)], [sample('a', '200', Number.NaN)], [sample('a', '200', 14)]],
      4,
    ],
    ['go on after a gap', [[sample('a', '200', 10)], [], [sample('a', '200', 14)]], 4],
  ])('%s', (_, rounds, total) => {
    const totals = new GrowingTotals();
    for (const [index, samples] of rounds.entries()) totals.add(samples, index, () => 'all');
    expect(totals.get('all')).toBe(total);
  });
});
