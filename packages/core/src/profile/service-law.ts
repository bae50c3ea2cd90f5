/**
 * Service-time law (distribution) of a batch, from a profile point. Mean m: `meanMs`, else batchSize ÷ `throughputRps`,
 * else `p50Ms`, `p99Ms` or `p95Ms`. With a p99 q, the law is lognormal: σ = z − √(z² − 2 ln(q/m)), μ = ln m − σ²/2, z =
 * 2.3263. If q/m exceeds e^(z²/2) = 14.97, two values keep mean and p99. Without a p99, it is constant.
 */

import { normalFraction, normalQuantile } from '../kernel/normal-quantile.js';
import type { Rng } from '../kernel/rng.js';
import type { ProfilePoint } from '../model/profile-point.js';

/** Law of times in ms. `mu` and `sigma`: mean and standard deviation of ln ms. */
export type ServiceLaw =
  | { readonly kind: 'constant'; readonly ms: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  | { readonly kind: 'lognormal'; readonly mu: number; readonly sigma: number }
  | { readonly kind: 'two-point'; readonly usualMs: number; readonly slowMs: number; readonly slowFraction: number }
  | { readonly kind: 'empirical'; readonly sortedMs: readonly number[] };

/** Law with an optional warning, or the reason why there is none. */
export type LawOfPoint =
  | { readonly kind: 'law'; readonly law: ServiceLaw; readonly warning?: string }
  | { readonly kind: 'invalid'; readonly reason: string };

const Z99 = 2.3263478740408408;
/** Slightly above 1 %, so that the p99 is the slow value. */
const SLOW_FRACTION = 0.0101;
const LARGEST_BATCH = 4096;
const TIMES = ['meanMs', 'p50Ms', 'p95Ms', 'p99Ms', 'throughputRps', 'memoryBytes'] as const;

const invalidPoint = (reason: string): LawOfPoint => ({ kind: 'invalid', reason });

function wrongNumber(point: ProfilePoint): string | undefined {
  if (!(point.cpuCores > 0 && Number.isFinite(point.cpuCores)))
    return `cpuCores must be positive, found ${point.cpuCores}`;
  if (!(Number.isInteger(point.batchSize) && point.batchSize >= 1 && point.batchSize <= LARGEST_BATCH))
    return `batchSize must be a whole number from 1 to ${LARGEST_BATCH}, found ${point.batchSize}`;
  for (const field of TIMES) {
    const value = point[field];
    if (value !== undefined && !(value > 0 && Number.isFinite(value)))
      return `${field} must be positive, found ${value}`;
  }
  return undefined;
}

function meanOfPoint(point: ProfilePoint): number | undefined {
  if (point.meanMs !== undefined) return point.meanMs;
  if (point.throughputRps !== undefined) return (1000 * point.batchSize) / point.throughputRps;
  return point.p50Ms ?? point.p99Ms ?? point.p95Ms;
}

function lawThrough(meanMs: number, p99Ms: number): LawOfPoint {
  const ratio = p99Ms / meanMs;
  if (ratio <= 1 + 1e-9) return { kind: 'law', law: { kind: 'constant', ms: meanMs } };
  const discriminant = Z99 * Z99 - 2 * Math.log(ratio);
  if (discriminant >= 0) {
    const sigma = Z99 - Math.sqrt(discriminant);
    return { kind: 'law', law: { kind: 'lognormal', mu: Math.log(meanMs) - (sigma * sigma) / 2, sigma } };
  }
  const usualMs = (meanMs - SLOW_FRACTION * p99Ms) / (1 - SLOW_FRACTION);
  if (usualMs <= 0)
    return invalidPoint(
      `p99Ms ${p99Ms} is ${ratio.toFixed(0)} times the mean ${meanMs} ms, which no service time can have`,
    );
  return {
    kind: 'law',
    law: { kind: 'two-point', usualMs, slowMs: p99Ms, slowFraction: SLOW_FRACTION },
    warning: `p99Ms ${p99Ms} is ${ratio.toFixed(1)} times the mean ${meanMs} ms; read as two values, ${usualMs.toFixed(3)} and ${p99Ms} ms`,
  };
}

export function lawOfPoint(point: ProfilePoint): LawOfPoint {
  const wrong = wrongNumber(point);
  if (wrong !== undefined) return invalidPoint(wrong);
  const meanMs = meanOfPoint(point);
  if (meanMs === undefined) return invalidPoint('give one of meanMs, throughputRps, p50Ms or p99Ms');
  const p99Ms = point.p99Ms ?? meanMs;
  if (p99Ms < meanMs * (1 - 1e-9))
    return invalidPoint(`p99Ms ${p99Ms} is below the mean of ${Number(meanMs.toFixed(6))} ms`);
  return lawThrough(meanMs, p99Ms);
}

export function lawMeanMs(law: ServiceLaw): number {
  switch (law.kind) {
    case 'constant':
      return law.ms;
    case 'exponential':
      return law.meanMs;
    case 'lognormal':
      return Math.exp(law.mu + (law.sigma * law.sigma) / 2);
    case 'two-point':
      return law.usualMs + law.slowFraction * (law.slowMs - law.usualMs);
    case 'empirical':
      return law.sortedMs.reduce((sum, ms) => sum + ms, 0) / law.sortedMs.length;
  }
}

/** Variance ÷ mean². */
export function lawVariationSquared(law: ServiceLaw): number {
  switch (law.kind) {
    case 'constant':
      return 0;
    case 'exponential':
      return 1;
    case 'lognormal':
      return Math.expm1(law.sigma * law.sigma);
    case 'two-point': {
      const { usualMs, slowMs, slowFraction } = law;
      return (slowFraction * (1 - slowFraction) * (slowMs - usualMs) ** 2) / lawMeanMs(law) ** 2;
    }
    case 'empirical': {
      const squares = law.sortedMs.reduce((sum, ms) => sum + ms * ms, 0) / law.sortedMs.length;
      return squares / lawMeanMs(law) ** 2 - 1;
    }
  }
}

/** Quantile in ms; Infinity at 1 for exponential and lognormal. */
export function lawQuantileMs(law: ServiceLaw, fraction: number): number {
  switch (law.kind) {
    case 'constant':
      return law.ms;
    case 'exponential':
      return -law.meanMs * Math.log1p(-fraction);
    case 'lognormal':
      return Math.exp(law.mu + law.sigma * normalQuantile(fraction));
    case 'two-point':
      return fraction < 1 - law.slowFraction ? law.usualMs : law.slowMs;
    case 'empirical': {
      const rank = Math.min(law.sortedMs.length - 1, Math.floor(fraction * law.sortedMs.length));
      return law.sortedMs[Math.max(0, rank)] as number;
    }
  }
}

/** Fraction of times below `ms`, counting half of equal times. */
export function lawFractionBelow(law: ServiceLaw, ms: number): number {
  switch (law.kind) {
    case 'constant':
      return stepFraction(law.ms, ms);
    case 'exponential':
      return -Math.expm1(-ms / law.meanMs);
    case 'lognormal':
      return normalFraction((Math.log(ms) - law.mu) / law.sigma);
    case 'two-point':
      return (1 - law.slowFraction) * stepFraction(law.usualMs, ms) + law.slowFraction * stepFraction(law.slowMs, ms);
    case 'empirical':
      return law.sortedMs.reduce((sum, each) => sum + stepFraction(each, ms), 0) / law.sortedMs.length;
  }
}

const stepFraction = (atMs: number, ms: number): number => (ms < atMs ? 0 : ms === atMs ? 0.5 : 1);

/** Draws a time in ms. Laws that vary take one number from `rng`. */
export function drawMs(law: ServiceLaw, rng: Rng): number {
  return law.kind === 'constant' ? law.ms : lawQuantileMs(law, rng.next());
}

export function lawWithMean(law: ServiceLaw, meanMs: number): ServiceLaw {
  const factor = meanMs / lawMeanMs(law);
  switch (law.kind) {
    case 'constant':
      return { kind: 'constant', ms: meanMs };
    case 'exponential':
      return { kind: 'exponential', meanMs };
    case 'lognormal':
      return { ...law, mu: law.mu + Math.log(factor) };
    case 'two-point':
      return { ...law, usualMs: law.usualMs * factor, slowMs: law.slowMs * factor };
    case 'empirical':
      return { kind: 'empirical', sortedMs: law.sortedMs.map((ms) => ms * factor) };
  }
}
