/** Roll-outs of the canary benchmark, and figures over many seeds. */
import { type Rollout, rollOut } from '../../packages/core/src/simulate/canary.test-support.js';

type Setting = Omit<Rollout, 'seed'>;

/** Pipelines of one stage under load. */
export const settings: readonly (readonly [string, Setting])[] = [
  ['20 rps', { rps: 20, replicas: 5 }],
  ['20 rps, SLO of 200 ms at the 95th percentile', { rps: 20, replicas: 3, latencyMs: 200, percentile: 95 }],
  ['50 rps in batches', { rps: 50, replicas: 3, maxBatchSize: 4, latencyMs: 400 }],
];

/** New variants. */
export const variants: readonly (readonly [string, Setting | object])[] = [
  ['good', { endAtMs: 80_000 }],
  ['30 % slower', { slowness: 1.3, endAtMs: 100_000 }],
  ['fails 5 % of its batches', { failing: 0.05, endAtMs: 100_000 }],
];

/** Outcomes of many seeds; times in s since the first request of the new variant, `extraFraction` against a good one. */
export interface CanaryFigures {
  readonly runs: number;
  readonly everywhere: number;
  readonly rolledBack: number;
  readonly medianVerdictS: number;
  readonly slowestVerdictS: number;
  readonly extraFraction: number;
}

/** Rolls a variant out with seeds 0 to `runs` − 1. */
export function measureCanary(setting: Setting, variant: object, runs: number): CanaryFigures {
  const seeds = Array.from({ length: runs }, (_, seed) => seed);
  const outcomes = seeds.map((seed) => rollOut({ ...setting, ...variant, seed }));
  const isGood = !('slowness' in variant || 'failing' in variant);
  const good = isGood ? outcomes : seeds.map((seed) => rollOut({ ...setting, endAtMs: 100_000, seed }));
  const verdicts = outcomes.map(({ verdictAfterMs }) => verdictAfterMs / 1000).sort((a, b) => a - b);
  const lost = (all: typeof outcomes) => all.reduce((sum, each) => sum + each.lost / each.ended, 0) / all.length;
  return {
    runs,
    everywhere: outcomes.filter(({ kind }) => kind === 'everywhere').length,
    rolledBack: outcomes.filter(({ kind }) => kind === 'rolled-back').length,
    medianVerdictS: verdicts[Math.floor(verdicts.length / 2)] ?? Number.NaN,
    slowestVerdictS: verdicts.at(-1) ?? Number.NaN,
    extraFraction: lost(outcomes) - lost(good),
  };
}
