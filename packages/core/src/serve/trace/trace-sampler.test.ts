import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { TraceSampler } from './trace-sampler.js';

const limit = { rps: 10, burst: 5 };

function kept(count: number, decide: (index: number) => unknown): number {
  return Array.from({ length: count }, (_, index) => decide(index)).filter((cause) => cause !== undefined).length;
}

describe('at the start of a request', () => {
  it('keeps the fraction of the requests without a parent', () => {
    const sampler = new TraceSampler({ fraction: 0.01 }, new SeededRng(1));
    const sampled = kept(100_000, () => sampler.begin(undefined, 0));
    expect(sampled).toBeGreaterThan(850);
    expect(sampled).toBeLessThan(1150);
  });

  it('keeps none with fraction 0 and all with fraction 1', () => {
    const none = new TraceSampler({ fraction: 0 }, new SeededRng(1));
    const all = new TraceSampler({ fraction: 1 }, new SeededRng(1));
    expect(kept(1000, () => none.begin(undefined, 0))).toBe(0);
    expect(kept(1000, () => all.begin(undefined, 0))).toBe(1000);
  });

  it('follows the parent, within the limit', () => {
    const sampler = new TraceSampler({ fraction: 1, limit }, new SeededRng(1));
    expect(sampler.begin(false, 0)).toBeUndefined();
    expect(kept(100, () => sampler.begin(true, 0))).toBe(5);
    expect(kept(1000, (ms) => sampler.begin(true, ms + 1))).toBe(10);
  });
});

describe('at the end of a request', () => {
  it.each(['slow', 'failed'] as const)('keeps %s requests, within a limit of their own', (outcome) => {
    const sampler = new TraceSampler({ fraction: 0, limit }, new SeededRng(1));
    expect(kept(100, () => sampler.end(outcome, 0))).toBe(5);
    expect(sampler.end(outcome === 'slow' ? 'failed' : 'slow', 0)).toBeDefined();
    expect(kept(100, () => sampler.end('good', 0))).toBe(0);
  });
});
