/** Roll-outs of the canary benchmark, and figures over many seeds. */
import { type RolledOut, type Rollout, rollOut } from '../../packages/core/src/simulate/canary.test-support.js';

type Setting = Omit<Rollout, 'seed'>;

/** Pipelines of one stage under load. Batches of 4 take 2.3 times as long as batches of 1. */
export const settings: readonly (readonly [string, Setting])[] = [
  ['5 rps', { rps: 5, replicas: 2, meanMs: 130, latencyMs: 400, endAtMs: 250_000 }],
  ['20 rps', { rps: 20, replicas: 5 }],
  ['20 rps in batches', { rps: 20, replicas: 2, maxBatchSize: 4, meanMs: 130, latencyMs: 650 }],
  ['20 rps with headroom', { rps: 20, replicas: 3, latencyMs: 400 }],
  ['20 rps, 95th percentile', { rps: 20, replicas: 3, latencyMs: 200, percentile: 95 }],
  ['50 rps in batches', { rps: 50, replicas: 3, maxBatchSize: 4, latencyMs: 400 }],
  ['50 rps in batches, times 20 % around the profile', { ...inBatches(50), noise: 0.2 }],
  ['50 rps in batches, p99 of 2 × the mean', { ...inBatches(50), latencyMs: 500, tail: 2 }],
  ['50 rps, p99 of 3 × the mean', { rps: 50, replicas: 5, latencyMs: 600, tail: 3 }],
  ['100 rps in batches', inBatches(100)],
  ['200 rps in batches', inBatches(200)],
];

/** Keeps the load factor equal at every rate. */
function inBatches(rps: number): Setting {
  return { rps, replicas: 3, maxBatchSize: 4, meanMs: 4_000 / rps, latencyMs: 20_000 / rps };
}

/** New variants. */
export const variants: readonly (readonly [string, Pick<Rollout, 'slowness' | 'failing'>])[] = [
  ['good', {}],
  ['15 % slower', { slowness: 1.15 }],
  ['30 % slower', { slowness: 1.3 }],
  ['60 % slower', { slowness: 1.6 }],
  ['fails 5 % of its batches', { failing: 0.05 }],
];

/**
 * Outcomes of many seeds. Times are in s since the first request of the new variant. `extraFraction` is the additional
 * loss compared with a good variant. `lostFraction` is the loss if the variant gets all requests without a canary.
 */
export interface CanaryFigures {
  readonly everywhere: number;
  readonly rolledBack: number;
  readonly medianVerdictS: number;
  readonly slowestVerdictS: number;
  readonly extraFraction: number;
  readonly lostFraction: number;
}

const END_MS = 100_000;
/** Number of seeds without a canary. */
const RUNS_AT_ONCE = 10;

/** Rolls each variant out with seeds 0 to `runs` − 1. */
export function measureSetting(setting: Setting, runs: number): readonly CanaryFigures[] {
  const rollOuts = (over: Partial<Setting>, count: number) =>
    Array.from({ length: count }, (_, seed) => rollOut({ endAtMs: END_MS, ...setting, ...over, seed }));
  const good = lostFraction(rollOuts({}, runs));
  return variants.map(([, variant]) => {
    const outcomes = rollOuts(variant, runs);
    const verdicts = outcomes.map(({ verdictAfterMs }) => verdictAfterMs / 1000).sort((a, b) => a - b);
    return {
      everywhere: outcomes.filter(({ kind }) => kind === 'everywhere').length,
      rolledBack: outcomes.filter(({ kind }) => kind === 'rolled-back').length,
      medianVerdictS: verdicts[Math.floor(verdicts.length / 2)] ?? Number.NaN,
      slowestVerdictS: verdicts.at(-1) ?? Number.NaN,
      extraFraction: lostFraction(outcomes) - good,
      lostFraction: lostFraction(rollOuts({ ...variant, canary: false }, RUNS_AT_ONCE)),
    };
  });
}

function lostFraction(outcomes: readonly RolledOut[]): number {
  return outcomes.reduce((sum, { lost, ended }) => sum + lost / ended, 0) / outcomes.length;
}
