import { describe, expect, it } from 'vitest';
import { LruCache } from './lru-cache.js';

describe('LruCache', () => {
  it('asks once per key while it remembers, and forgets what was not asked for the longest', () => {
    const cache = new LruCache<string>(2);
    const asked: string[] = [];
    const ask = (key: string) =>
      cache.remember(key, () => {
        asked.push(key);
        return key.toUpperCase();
      });
    expect(['a', 'b', 'a', 'c', 'a', 'b'].map(ask)).toEqual(['A', 'B', 'A', 'C', 'A', 'B']);
    expect(asked).toEqual(['a', 'b', 'c', 'b']);
    expect(cache.size).toBe(2);
  });

  it('keeps nothing of an answer that failed', () => {
    const cache = new LruCache<string>(2);
    const fails = () =>
      cache.remember('a', () => {
        throw new Error('no answer');
      });
    expect(fails).toThrow('no answer');
    expect(cache.remember('a', () => 'now')).toBe('now');
  });
});
