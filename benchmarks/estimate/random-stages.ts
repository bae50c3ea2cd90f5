/**
 * Stages for measuring the estimate, drawn with a fixed seed, off the grid of the sojourn table.
 * Replicas 1–16, caps 1–64 (log-uniform), full-batch times 10–400 ms (5–200 with shares; log-uniform), load factors
 * 0.3–0.95, service cv 0–15 %. Three in five service curves are affine (fixed-cost share 0–0.9), the others powers k^γ,
 * γ 0.55–1, at powers of two with 5 % noise. Arrivals in thirds: Poisson, gamma with CV 2, MMPP. The MMPP has 1.2–1.8
 * times the mean for a fifth to half of the time, in cycles of 300–6000 requests and at most 10 s.
 */
import type { ArrivalProcess } from '../../packages/core/src/estimate/arrivals.js';
import { normalQuantile } from '../../packages/core/src/kernel/normal-quantile.js';
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import { type CurvePoint, type ServiceCurve, serviceCurve } from '../../packages/core/src/profile/service-curves.js';

/** `shape` and `arrivals` name the classes of reported errors. */
export interface RandomStage {
  readonly curve: ServiceCurve;
  readonly shape: 'affine' | 'measured';
  readonly replicas: number;
  readonly maxBatchSize: number;
  readonly loadFactor: number;
  readonly arrivalRps: number;
  readonly process: ArrivalProcess;
  /** Window of the short dispersion. */
  readonly sloMs: number;
}

const LONGEST_CYCLE_MS = 10_000;

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();
const logBetween = (rng: Rng, low: number, high: number): number => low * (high / low) ** rng.next();

function point(batchSize: number, meanMs: number, cv: number): CurvePoint {
  const sigma = Math.sqrt(Math.log1p(cv * cv));
  return { batchSize, law: { kind: 'lognormal', mu: Math.log(meanMs) - (sigma * sigma) / 2, sigma } };
}

function affinePoints(rng: Rng, cap: number, cv: number): readonly CurvePoint[] {
  const fixedShare = between(rng, 0, 0.9);
  return [...new Set([1, cap])].map((k) => point(k, fixedShare + (1 - fixedShare) * k, cv));
}

/** Sizes of a profiler: non-decreasing times, best throughput at the largest batch. */
function measuredPoints(rng: Rng, cap: number, cv: number): readonly CurvePoint[] {
  const power = between(rng, 0.55, 1);
  const sizes = [...[1, 2, 4, 8, 16, 32, 64].filter((size) => size < cap), cap];
  const noisyMs = sizes.map((k) => k ** power * Math.exp(0.05 * normalQuantile(rng.next())));
  const fullMs = Math.max(...noisyMs);
  let beforeMs = 0;
  return sizes.map((k, i) => {
    const leastMs = Math.max(beforeMs, (fullMs * k) / cap);
    beforeMs = Math.max(leastMs, noisyMs[i] as number);
    return point(k, beforeMs, cv);
  });
}

function scaled(points: readonly CurvePoint[], fullMs: number, cpuCores: number): ServiceCurve {
  const raw = serviceCurve(1, 1, points);
  const factor = fullMs / raw.meanMs(raw.maxBatchSize);
  const moved = points.map(({ batchSize, law }) => ({
    batchSize,
    law: law.kind === 'lognormal' ? { ...law, mu: law.mu + Math.log(factor) } : law,
  }));
  return serviceCurve(cpuCores, Math.min(1, cpuCores), moved);
}

interface Switching {
  readonly share: number;
  readonly highFactor: number;
  readonly requestsPerCycle: number;
}

/** Requests per cycle, at most 10 s: slower changes belong to the forecast. */
function switchingProcess({ share, highFactor, requestsPerCycle }: Switching, arrivalRps: number): ArrivalProcess {
  const cycleMs = Math.min(LONGEST_CYCLE_MS, (1000 * requestsPerCycle) / arrivalRps);
  const lowFactor = (1 - share * highFactor) / (1 - share);
  return { kind: 'mmpp', highFactor, lowFactor, meanHighMs: share * cycleMs, meanLowMs: (1 - share) * cycleMs };
}

type ProcessAt = (arrivalRps: number) => ArrivalProcess;

function randomStage(rng: Rng, processAt: ProcessAt, shares: boolean): RandomStage {
  const cap = Math.round(logBetween(rng, 1, 64));
  const cv = between(rng, 0, 0.15);
  const shape = rng.next() < 0.6 || cap === 1 ? 'affine' : 'measured';
  const points = shape === 'affine' ? affinePoints(rng, cap, cv) : measuredPoints(rng, cap, cv);
  const fullMs = shares ? logBetween(rng, 5, 200) : logBetween(rng, 10, 400);
  const cpuCores = shares ? Math.round(20 * between(rng, 0.1, 0.95)) / 20 : 1;
  const replicas = 1 + Math.floor(16 * rng.next());
  const loadFactor = between(rng, 0.3, 0.95);
  const curve = scaled(points, fullMs, cpuCores);
  const arrivalRps = (1000 * loadFactor * replicas * cap * curve.shareFraction) / fullMs;
  const process = processAt(arrivalRps);
  return {
    curve,
    shape,
    replicas,
    maxBatchSize: cap,
    loadFactor,
    arrivalRps,
    process,
    sloMs: logBetween(rng, 100, 1000),
  };
}

/** `count` stages on whole cores, a third for each kind of arrivals. */
export function randomStages(count: number, seed: number): readonly RandomStage[] {
  const rng = new SeededRng(seed);
  return Array.from({ length: count }, (_, i) => {
    const switching = {
      share: between(rng, 0.2, 0.5),
      highFactor: between(rng, 1.2, 1.8),
      requestsPerCycle: logBetween(rng, 300, 6000),
    };
    const processes: readonly ProcessAt[] = [
      () => ({ kind: 'poisson' }),
      () => ({ kind: 'gamma', cv: 2 }),
      (arrivalRps) => switchingProcess(switching, arrivalRps),
    ];
    return randomStage(rng, processes[i % 3] as ProcessAt, false);
  });
}

/** `count` stages with CPU shares of 0.1–0.95 under Poisson arrivals. */
export function randomShareStages(count: number, seed: number): readonly RandomStage[] {
  const rng = new SeededRng(seed);
  return Array.from({ length: count }, () => randomStage(rng, () => ({ kind: 'poisson' }), true));
}
