import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shardOf } from './shards.js';

describe('shardOf', () => {
  // Another result would move pipelines between operators of different versions.
  it('stays the same from version to version', () => {
    const keys = ['team/shelf', 'team/mail', 'lab/shelf'];
    expect(keys.map((key) => shardOf(key, { count: 8, by: 'pipeline' }))).toEqual([3, 4, 5]);
    expect(keys.map((key) => shardOf(key, { count: 8, by: 'namespace' }))).toEqual([0, 0, 3]);
  });

  it('gives each key one of the shards, and those of a namespace the same by namespace', () => {
    const text = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 1, max: 64 }), (namespace, a, b, count) => {
        const shard = shardOf(`${namespace}/${a}`, { count, by: 'pipeline' });
        expect(Number.isInteger(shard) && shard >= 0 && shard < count).toBe(true);
        const [first, second] = [a, b].map((name) => shardOf(`${namespace}/${name}`, { count, by: 'namespace' }));
        expect(first).toBe(second);
      }),
      { seed: 22 },
    );
  });

  it('spreads 1,000 pipelines over 4 shards within a tenth of the mean', () => {
    const counts = [0, 0, 0, 0];
    for (let index = 1; index <= 1_000; index++) {
      const shard = shardOf(`bench/chain-${index}`, { count: 4, by: 'pipeline' });
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(225);
    expect(Math.max(...counts)).toBeLessThan(275);
  });
});
