/** Bars of the benchmark, fixed before it ran. */
import { medianOf } from '@equipoise/core/model';
import type { ComparedLoad } from '../../packages/app/src/calibrate/compared-loads.js';
import { errorFraction, isBelowSaturation } from '../../packages/app/src/calibrate/trust.js';
import type { PlanResult } from './plan-result.js';

export const bars = {
  p50Median: 0.08,
  p99Median: 0.12,
  worst: 0.3,
  rankCorrelation: 0.95,
  saturation: 0.05,
  drops: 0.02,
} as const;

/** A bar with what was measured. */
export interface BarResult {
  readonly name: string;
  readonly bar: string;
  readonly measured: string;
  readonly met: boolean;
}

/** Error of a prediction at a load below saturation, as a signed fraction. */
export const latencyErrors = ({ served, simulated }: ComparedLoad) => ({
  p50: errorFraction(simulated.p50Ms, served.p50Ms),
  p99: errorFraction(simulated.p99Ms, served.p99Ms),
});

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

export function barResults(plans: readonly PlanResult[]): readonly BarResult[] {
  const loads = plans.flatMap((plan) => plan.loads);
  const below = loads.filter(isBelowSaturation);
  const errors = below.map(latencyErrors);
  const [p50, p99] = [errors.map((of) => Math.abs(of.p50)), errors.map((of) => Math.abs(of.p99))];
  const upTo = (name: string, bar: number, measured: number): BarResult => ({
    ...{ name, bar: `≤ ${percent(bar)}`, measured: percent(measured), met: measured <= bar },
  });
  const ranks = (of: 'p50Ms' | 'p99Ms') =>
    rankCorrelation(
      below.map(({ served }) => served[of]),
      below.map(({ simulated }) => simulated[of]),
    );
  const rank = Math.min(ranks('p50Ms'), ranks('p99Ms'));
  const saturation = loads.filter(({ load }) => load === 'saturation');
  const overload = loads.filter(({ load }) => load !== 'saturation' && load > 1);
  const rates = saturation.map(({ served, simulated }) => errorFraction(simulated.completedRps, served.completedRps));
  const drops = overload.map(({ served, simulated }) => simulated.droppedFraction - served.droppedFraction);
  return [
    upTo('p50, median error', bars.p50Median, medianOf(p50)),
    upTo('p99, median error', bars.p99Median, medianOf(p99)),
    upTo('p50 or p99, worst error', bars.worst, Math.max(...p50, ...p99)),
    {
      name: 'rank correlation of p50 and of p99, the smaller',
      bar: `≥ ${bars.rankCorrelation}`,
      measured: rank.toFixed(3),
      met: rank >= bars.rankCorrelation,
    },
    upTo('saturation throughput, worst error', bars.saturation, Math.max(...rates.map(Math.abs))),
    {
      ...upTo('dropped at 110 %, worst difference', bars.drops, Math.max(...drops.map(Math.abs))),
      bar: '≤ 2 points',
      measured: `${(100 * Math.max(...drops.map(Math.abs))).toFixed(1)} points`,
    },
  ];
}

/** Spearman's, with mean ranks of equal values. */
export function rankCorrelation(xs: readonly number[], ys: readonly number[]): number {
  const [a, b] = [ranksOf(xs), ranksOf(ys)];
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  const products = mean(a.map((value, i) => (value - meanA) * ((b[i] as number) - meanB)));
  const deviation = (values: readonly number[], middle: number) =>
    Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
  return products / (deviation(a, meanA) * deviation(b, meanB));
}

function ranksOf(values: readonly number[]): readonly number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}
