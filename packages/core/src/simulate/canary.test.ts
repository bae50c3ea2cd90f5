import { describe, expect, it } from 'vitest';
import { type Rollout, rollOut } from './canary.test-support.js';

const seeds = (count: number) => Array.from({ length: count }, (_, seed) => seed);
const steady = { rps: 20, replicas: 5 } as const;
const extraFraction = (rollout: Rollout): number => {
  const [bad, good] = [rollOut(rollout), rollOut({ ...rollout, slowness: 1, failing: 0 })];
  return bad.lost / bad.ended - good.lost / good.ended;
};

describe('a canary in simulated time', () => {
  it('brings a good variant to all requests within 60 s, in steps', () => {
    for (const seed of seeds(6)) {
      const { kind, verdictAfterMs, fractions } = rollOut({ ...steady, seed, endAtMs: 60_000 });
      expect([kind, verdictAfterMs < 60_000]).toEqual(['everywhere', true]);
      expect(fractions).toEqual(expect.arrayContaining([0.1, 0.5]));
    }
  });

  it.each([
    ['is 30 % slower than its profile and misses the SLO', { slowness: 1.3 }],
    [
      'is 30 % slower than its profile and lacks capacity with all requests only',
      { slowness: 1.3, rps: 50, replicas: 3, maxBatchSize: 4, latencyMs: 400 },
    ],
    ['fails 5 % of its batches', { failing: 0.05 }],
    ['fails 5 % of its batches with time for another try', { failing: 0.05, latencyMs: 400, percentile: 95 }],
  ])('rolls back a variant that %s within 30 s, with at most 0.5 %% of the requests lost to it', (_, fault) => {
    const rollouts = seeds(6).map((seed) => ({ ...steady, ...fault, seed }));
    for (const rollout of rollouts) {
      const { kind, verdictAfterMs } = rollOut(rollout);
      expect([kind, verdictAfterMs <= 30_000]).toEqual(['rolled-back', true]);
    }
    const extra = rollouts.map(extraFraction);
    expect(extra.reduce((sum, each) => sum + each, 0) / extra.length).toBeLessThanOrEqual(0.005);
  });

  it('ends with the simulation if the load ends before the new variant has an outcome', () => {
    const few = seeds(8).map((seed) => rollOut({ rps: 4, replicas: 1, seed, endAtMs: 6_000 }));
    expect(few.every(({ kind }) => kind === 'open' || kind === 'rolled-back' || kind === 'everywhere')).toBe(true);
    expect(few.some(({ fractions }) => fractions.length > 0)).toBe(true);
  });

  it('takes longer where little arrives', () => {
    const { kind, verdictAfterMs } = rollOut({ rps: 2, replicas: 1, seed: 1, endAtMs: 300_000 });
    expect(kind).toBe('everywhere');
    expect(verdictAfterMs).toBeGreaterThan(60_000);
  });

  it('offers half of the requests early where little arrives, unless the new variant seems slow', () => {
    const few = { rps: 5, meanMs: 130, latencyMs: 400, endAtMs: 90_000 } as const;
    for (const seed of seeds(4)) {
      const [good, slower] = [rollOut({ ...few, seed }), rollOut({ ...few, seed, slowness: 1.3 })];
      expect([good.kind, good.verdictAfterMs < 37_000]).toEqual(['everywhere', true]);
      expect(slower.verdictAfterMs).toBeGreaterThan(37_000);
    }
  });

  it.each([
    ['the pipeline says so', { canary: false }],
    ['items may not run twice', { idempotent: false }],
    ['the change says so', { atOnce: true }],
    ['only one replica fits', { replicas: 1, surgeCpuCores: 0 }],
  ] as const)('is left out where %s', (_, how) => {
    const { fractions } = rollOut({ ...steady, ...how, seed: 1, endAtMs: 20_000 });
    expect(fractions).toEqual([]);
  });
});
