import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { logChange, type Pairs, poissonTail } from './statistics.js';

describe('poissonTail', () => {
  it.each([
    [1, 1, 0.632121],
    [3, 1, 0.080301],
    [10, 4, 0.008132],
    [40, 20, 0.0000497],
    [0, 5, 1],
    [2, 0, 0],
    [5, 500, 1],
  ])('is P(X ≥ %d) at mean %d', (count, mean, tail) => {
    expect(poissonTail(count, mean)).toBeCloseTo(tail, 5);
  });

  it('falls as the count grows, and stays a probability', () => {
    for (const mean of [0.1, 2, 30]) {
      const tails = Array.from({ length: 60 }, (_, i) => poissonTail(i / 2, mean));
      expect(
        tails.every((tail, i) => tail >= 0 && tail <= 1 && (i === 0 || tail <= (tails[i - 1] as number) + 1e-9)),
      ).toBe(true);
    }
  });
});

describe('logChange', () => {
  const noisy = (ratio: number, seed: number): Pairs => {
    const rng = new SeededRng(seed);
    return Array.from({ length: 12 }, () => [100 * ratio * (0.9 + 0.2 * rng.next()), 100] as const);
  };

  it('finds a ratio that doubled, and its interval', () => {
    const change = logChange(noisy(2, 1), noisy(1, 2), 0.01);
    expect(Math.exp(change?.value ?? 0)).toBeCloseTo(2, 1);
    expect(change?.low).toBeGreaterThan(Math.log(1.8));
    expect(change?.high).toBeLessThan(Math.log(2.2));
  });

  it('covers no change in all but about 1 % of equal ratios', () => {
    const wrong = Array.from({ length: 400 }, (_, i) => logChange(noisy(1, 2 * i), noisy(1, 2 * i + 1), 0.01));
    expect(wrong.filter((change) => change === undefined || change.low > 0 || change.high < 0).length).toBeLessThan(12);
  });

  it('is unknown without data', () => {
    expect(logChange([], undefined, 0.01)).toBeUndefined();
    expect(
      logChange(
        [
          [0, 5],
          [0, 5],
        ],
        undefined,
        0.01,
      ),
    ).toBeUndefined();
    expect(logChange([[3, 5]], undefined, 0.01)).toBeUndefined();
  });
});
