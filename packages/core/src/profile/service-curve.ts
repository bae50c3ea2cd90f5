import { monotoneFit } from './monotone-fit.js';
import { lawMeanMs, lawWithMean, type ServiceLaw } from './service-law.js';

const sigmaOf = (law: ServiceLaw): number | undefined =>
  law.kind === 'constant' ? 0 : law.kind === 'lognormal' ? law.sigma : undefined;

/**
 * Law between two profiled sizes. Means are interpolated linearly, and σ of lognormals, too (a constant has 0). Other
 * shapes come from the nearer neighbour, moved to the mean.
 */
function interpolateLaw(low: ServiceLaw, high: ServiceLaw, weight: number): ServiceLaw {
  const meanMs = (1 - weight) * lawMeanMs(low) + weight * lawMeanMs(high);
  const lowSigma = sigmaOf(low);
  const highSigma = sigmaOf(high);
  if (lowSigma === undefined || highSigma === undefined) return lawWithMean(weight < 0.5 ? low : high, meanMs);
  const sigma = (1 - weight) * lowSigma + weight * highSigma;
  return sigma === 0
    ? { kind: 'constant', ms: meanMs }
    : { kind: 'lognormal', mu: Math.log(meanMs) - (sigma * sigma) / 2, sigma };
}

/**
 * Service time by batch size k, and capacity. Sizes below the smallest use the smallest. A share f < 1 is one thread at
 * full speed while its CPU-time bucket lasts: the curve of one core with `shareFraction` = f. Capacity of n replicas
 * with batches up to b: C = 1000 · n · f · max over k ≤ b of k / s(k) rps, s in ms.
 */

/** Batch size k in 1…`maxBatchSize`. */
export interface ServiceCurve {
  /** May be a fraction. */
  readonly cpuCores: number;
  /** Per replica: max(1, cpuCores). */
  readonly threadCores: number;
  /** 1, or the share below one core (1 if measured under it). */
  readonly shareFraction: number;
  /** Ascending. */
  readonly batchSizes: readonly number[];
  readonly maxBatchSize: number;
  meanMs(batchSize: number): number;
  law(batchSize: number): ServiceLaw;
}

export interface CurvePoint {
  readonly batchSize: number;
  readonly law: ServiceLaw;
}

function lawAt(points: readonly CurvePoint[], batchSize: number): ServiceLaw {
  const above = points.findIndex((point) => point.batchSize >= batchSize);
  const high = points[above] as CurvePoint;
  const low = points[above - 1];
  if (low === undefined || high.batchSize === batchSize) return high.law;
  return interpolateLaw(low.law, high.law, (batchSize - low.batchSize) / (high.batchSize - low.batchSize));
}

function onMonotoneFit(points: readonly CurvePoint[]): readonly CurvePoint[] {
  const means = points.map(({ batchSize, law }) => ({ batchSize, meanMs: lawMeanMs(law) }));
  const { fittedMs } = monotoneFit(means);
  return points.map((point, i) => {
    const meanMs = fittedMs[i] as number;
    return meanMs === means[i]?.meanMs ? point : { ...point, law: lawWithMean(point.law, meanMs) };
  });
}

/** At least one point, sizes ascending. `shareFraction` in (0, 1]. */
export function serviceCurve(cpuCores: number, shareFraction: number, points: readonly CurvePoint[]): ServiceCurve {
  const batchSizes = points.map((point) => point.batchSize);
  const maxBatchSize = batchSizes.at(-1) as number;
  const fitted = onMonotoneFit(points);
  const laws = Array.from({ length: maxBatchSize + 1 }, (_, size) => lawAt(fitted, Math.max(1, size)));
  const means = Float64Array.from(laws, lawMeanMs);
  return {
    cpuCores,
    threadCores: Math.max(1, cpuCores),
    shareFraction,
    batchSizes,
    maxBatchSize,
    meanMs: (batchSize) => means[Math.min(batchSize, maxBatchSize)] as number,
    law: (batchSize) => laws[Math.min(batchSize, maxBatchSize)] as ServiceLaw,
  };
}

/** Curve of batches that take `slowness` times as long. */
export function slowedCurve(curve: ServiceCurve, slowness: number): ServiceCurve {
  return {
    ...curve,
    meanMs: (batchSize) => slowness * curve.meanMs(batchSize),
    law: (batchSize) => lawWithMean(curve.law(batchSize), slowness * curve.meanMs(batchSize)),
  };
}

/** Items per second, with at most `maxBatchSize` per batch. */
export function capacityRps(curve: ServiceCurve, replicas: number, maxBatchSize: number): number {
  let itemsPerMs = 0;
  for (let k = 1; k <= Math.min(maxBatchSize, curve.maxBatchSize); k++)
    itemsPerMs = Math.max(itemsPerMs, k / curve.meanMs(k));
  return 1000 * replicas * curve.shareFraction * itemsPerMs;
}
