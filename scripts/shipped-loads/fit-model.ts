/**
 * Fits a load model to statistics: a random walk over its parameters in steps of tiny to large size. It keeps each step
 * that lowers the misfit. The misfit counts each statistic in units of its tolerance.
 */
import { normalQuantile } from '../../packages/core/src/kernel/normal-quantile.js';
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import { type Burst, countsOf, type LoadModel } from './load-model.js';
import { type LoadStatistics, loadStatistics } from './load-statistics.js';

/** Deviations of equal weight: fractions of the figures, absolute for the autocorrelation. */
const tolerated = {
  meanRps: 0.01,
  stdRps: 0.01,
  dispersionAt10s: 0.05,
  minRps: 0.05,
  medianRps: 0.05,
  p95Rps: 0.05,
  p99Rps: 0.05,
  maxRps: 0.05,
} as const;
const TOLERATED_CORRELATION = 0.1;
const SMALLEST_STEP = 0.02;
const LARGEST_STEP = 2;

/**
 * The model nearest to `wanted` that the walk finds from `start`; bursts and noise change; times change by up to a few
 * dozen seconds.
 */
export function fitModel(start: LoadModel, wanted: LoadStatistics, steps: number): LoadModel {
  const rng = new SeededRng(start.seed).fork('fit');
  let best = start;
  let misfit = misfitOf(best, wanted);
  for (let step = 0; step < steps; step++) {
    const child = varied(best, SMALLEST_STEP * (LARGEST_STEP / SMALLEST_STEP) ** rng.next(), rng);
    const childMisfit = misfitOf(child, wanted);
    if (childMisfit < misfit) [best, misfit] = [child, childMisfit];
  }
  return best;
}

/** Sum of squared deviations from `wanted`, each in units of its tolerance. */
function misfitOf(model: LoadModel, wanted: LoadStatistics): number {
  const { autocorrelationAt10s, ...marginal } = model;
  const found = loadStatistics(countsOf(marginal));
  const names = Object.keys(tolerated) as (keyof typeof tolerated)[];
  const byFigure = names.map((name) => (found[name] / wanted[name] - 1) / tolerated[name]);
  // Without bursts, the autocorrelation is not fitted here: the order of the blocks is arranged for it afterwards.
  const byLag = wanted.autocorrelationAt10s.map((value, i) =>
    model.bursts.length === 0 ? 0 : (value - (found.autocorrelationAt10s[i] ?? 0)) / TOLERATED_CORRELATION,
  );
  return [...byFigure, ...byLag].reduce((sum, deviation) => sum + deviation * deviation, 0);
}

function varied(model: LoadModel, scale: number, rng: Rng): LoadModel {
  const normal = () => normalQuantile(rng.next() * 0.999 + 0.0005) * scale;
  const factor = (value: number) => rounded(value * Math.exp(0.05 * normal()));
  const shift = (value: number) => rounded(value + 10 * normal());
  const burst = ({ heightRps, riseAtS, riseS, fallAtS, fallS }: Burst): Burst => ({
    heightRps: factor(heightRps),
    riseAtS: shift(riseAtS),
    riseS: factor(riseS),
    fallAtS: shift(fallAtS),
    fallS: factor(fallS),
  });
  return {
    ...model,
    levelRps: factor(model.levelRps),
    dispersion: factor(model.dispersion),
    driftFraction: factor(model.driftFraction),
    bursts: model.bursts.map(burst),
  };
}

/** Three significant digits: twenty minutes of data do not determine more. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
