import { describe, expect, it } from 'vitest';
import { type Rollout, rollOut } from './canary.test-support.js';

const rollouts = (rollout: Omit<Rollout, 'seed'>, count = 200) =>
  Array.from({ length: count }, (_, seed) => rollOut({ ...rollout, seed }));
const cases: readonly (readonly [string, Omit<Rollout, 'seed'>])[] = [
  ['at 20 rps', { rps: 20, replicas: 5 }],
  ['at 20 rps with a generous SLO', { rps: 20, replicas: 3, latencyMs: 200, percentile: 95 }],
  ['at 50 rps in batches', { rps: 50, replicas: 3, maxBatchSize: 4, latencyMs: 400 }],
];

describe.each(cases)('200 canaries %s', (_, rollout) => {
  it('bring a good variant to all requests within 60 s, but for 2', () => {
    const ends = rollouts({ ...rollout, endAtMs: 80_000 });
    expect(ends.filter(({ kind }) => kind === 'rolled-back').length).toBeLessThanOrEqual(2);
    const late = ends.filter(({ kind, verdictAfterMs }) => kind === 'everywhere' && verdictAfterMs > 60_000);
    expect(late.length).toBeLessThanOrEqual(2);
  });

  it('roll back a variant that fails 5 % of its batches within 30 s, but for 10', () => {
    const ends = rollouts({ ...rollout, failing: 0.05, endAtMs: 100_000 });
    const early = ends.filter(({ kind, verdictAfterMs }) => kind === 'rolled-back' && verdictAfterMs <= 30_000);
    expect(early.length).toBeGreaterThanOrEqual(190);
  });
});

it('200 canaries at 20 rps in batches roll back a variant that fails 5 % of its batches, but for 2', () => {
  const inBatches = { rps: 20, replicas: 2, maxBatchSize: 4, meanMs: 130, latencyMs: 650 };
  const ends = rollouts({ ...inBatches, failing: 0.05, endAtMs: 100_000 });
  expect(ends.filter(({ kind }) => kind === 'rolled-back').length).toBeGreaterThanOrEqual(198);
});

describe('100 canaries of a variant that is 30 % slower than its profile', () => {
  const slower = { slowness: 1.3, endAtMs: 100_000 };
  const lostFraction = (ends: ReturnType<typeof rollouts>) =>
    ends.reduce((sum, { lost, ended }) => sum + lost / ended, 0) / ends.length;

  it.each([
    ['at 20 rps', { rps: 20, replicas: 5 }],
    ['at 50 rps in batches', { rps: 50, replicas: 3, maxBatchSize: 4, latencyMs: 400 }],
    ['at 200 rps in batches', { rps: 200, replicas: 3, maxBatchSize: 4, meanMs: 20, latencyMs: 100 }],
    ['with times around the profile', { rps: 50, replicas: 3, maxBatchSize: 4, latencyMs: 400, noise: 0.2 }],
    ['with a p99 of 2 × the mean', { rps: 50, replicas: 3, maxBatchSize: 4, latencyMs: 500, tail: 2 }],
  ])('roll it back %s within 30 s, with at most 0.5 %% of the requests lost to it', (_, rollout) => {
    const ends = rollouts({ ...rollout, ...slower }, 100);
    expect(ends.filter(({ kind }) => kind === 'rolled-back').length).toBe(100);
    expect(Math.max(...ends.map(({ verdictAfterMs }) => verdictAfterMs))).toBeLessThanOrEqual(30_000);
    const good = rollouts({ ...rollout, endAtMs: 100_000 }, 100);
    expect(lostFraction(ends) - lostFraction(good)).toBeLessThanOrEqual(0.005);
  });

  it('roll it back with a p99 of 3 × the mean, but for 2', () => {
    const ends = rollouts({ rps: 50, replicas: 5, latencyMs: 600, tail: 3, ...slower }, 100);
    expect(ends.filter(({ kind }) => kind === 'rolled-back').length).toBeGreaterThanOrEqual(98);
  });

  it('let it pass if the plan carries it, but for 1', () => {
    const ends = rollouts({ rps: 20, replicas: 3, latencyMs: 400, ...slower }, 100);
    expect(ends.filter(({ kind }) => kind === 'everywhere').length).toBeGreaterThanOrEqual(99);
  });
});
