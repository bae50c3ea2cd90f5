/**
 * CPU quota of a container, as the kernel gives it (CFS bandwidth control). In each period, a thread runs at full speed
 * until it has used share × period of CPU time, and then stops until the next period. Unused quota does not accumulate.
 *
 * A thread with work gets its share of any time but for 2 (1 − share) periods at most (periodic resource model, Shin and
 * Lee 2003, section 4).
 */
import { SeededRng } from '../kernel/rng.js';
import type { CpuQuotaRule, ServiceCurve } from './service-curves.js';

/** Fraction of a period by which the periods of successive replicas are apart, because containers start at any time. */
const PHASE_STEP = (Math.sqrt(5) - 1) / 2;

/** Quota of a replica. All times in ms, on one clock. */
export class CpuQuota {
  readonly #quotaMs: number;
  readonly #periodMs: number;
  readonly #networkMs: number;
  readonly #phaseMs: number;
  #period = Number.NEGATIVE_INFINITY;
  #leftMs = 0;

  /** `index`: number of the replica. */
  constructor(shareFraction: number, { periodMs, networkMs }: CpuQuotaRule, index: number) {
    this.#quotaMs = shareFraction * periodMs;
    this.#periodMs = periodMs;
    this.#networkMs = networkMs;
    this.#phaseMs = ((index * PHASE_STEP) % 1) * periodMs;
  }

  /** Time of a batch that would take `fullSpeedMs` on a whole core. Starts must not precede the end of earlier batches. */
  batchMs(startMs: number, fullSpeedMs: number): number {
    const networkMs = Math.min(this.#networkMs, fullSpeedMs);
    return networkMs + this.#elapsedMs(startMs, fullSpeedMs - networkMs);
  }

  #elapsedMs(startMs: number, cpuMs: number): number {
    const period = Math.floor((startMs - this.#phaseMs) / this.#periodMs);
    if (period > this.#period) [this.#period, this.#leftMs] = [period, this.#quotaMs];
    const nextMs = this.#phaseMs + (this.#period + 1) * this.#periodMs;
    const firstMs = Math.min(cpuMs, this.#leftMs, nextMs - startMs);
    this.#leftMs -= firstMs;
    const restMs = cpuMs - firstMs;
    if (restMs <= 0) return firstMs;
    const fullPeriods = Math.ceil(restMs / this.#quotaMs) - 1;
    const lastMs = restMs - fullPeriods * this.#quotaMs;
    this.#period += 1 + fullPeriods;
    this.#leftMs = this.#quotaMs - lastMs;
    return nextMs - startMs + fullPeriods * this.#periodMs + lastMs;
  }
}

/** Undefined for curves without a quota. */
export const quotaOf = ({ shareFraction, quota }: ServiceCurve, index: number): CpuQuota | undefined =>
  quota === undefined || shareFraction >= 1 ? undefined : new CpuQuota(shareFraction, quota, index);

/** Batches of a simulation. Eight halvings leave 1 % of the interval in which the time lies. */
const SIMULATED = 400;
const SEED = 1;
const HALVINGS = 8;

/**
 * Time (ms) on a whole core of batches that took `meanMs` each under a quota. `busyFraction`: part of the time in which a
 * batch ran. A batch takes between this time and this time ÷ share; the simulation tells where between, for equal batches
 * with random arrivals.
 */
export function fullSpeedMs(
  meanMs: number,
  busyFraction: number,
  { shareFraction, quota }: Pick<ServiceCurve, 'shareFraction' | 'quota'>,
): number {
  if (quota === undefined || shareFraction >= 1) return meanMs;
  const gapMs = meanMs / Math.min(1, busyFraction);
  let [leastMs, mostMs] = [shareFraction * meanMs, meanMs];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middleMs = Math.sqrt(leastMs * mostMs);
    if (meanUnderQuotaMs(middleMs, gapMs, { shareFraction, quota }) < meanMs) leastMs = middleMs;
    else mostMs = middleMs;
  }
  return Math.sqrt(leastMs * mostMs);
}

/** Mean time of equal batches, one after the other, with Poisson arrivals that are the same in each call. */
function meanUnderQuotaMs(
  cpuMs: number,
  gapMs: number,
  { shareFraction, quota }: { readonly shareFraction: number; readonly quota: CpuQuotaRule },
): number {
  const limited = new CpuQuota(shareFraction, quota, 0);
  const rng = new SeededRng(SEED);
  let [arrivalMs, endMs, sumMs] = [0, 0, 0];
  for (let batch = 0; batch < SIMULATED; batch++) {
    arrivalMs -= gapMs * Math.log(1 - rng.next());
    const startMs = Math.max(arrivalMs, endMs);
    const batchMs = limited.batchMs(startMs, cpuMs);
    sumMs += batchMs;
    endMs = startMs + batchMs;
  }
  return sumMs / SIMULATED;
}

/** Longest time (ms) by which a quota delays work, compared with a core that is slower by `shareFraction`. */
export const quotaLagMs = (shareFraction: number, periodMs: number): number => 2 * (1 - shareFraction) * periodMs;
