/**
 * CPU quota of a container, as the kernel gives it (CFS bandwidth control). In each period, a thread runs at full speed
 * until it has used share × period of CPU time, and then stops until the next period. Unused quota does not accumulate.
 *
 * A thread with work gets its share of any time but for 2 (1 − share) periods at most (periodic resource model, Shin and
 * Lee 2003, section 4).
 */
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

/** Longest time (ms) by which a quota delays work, compared with a core that is slower by `shareFraction`. */
export const quotaLagMs = (shareFraction: number, periodMs: number): number => 2 * (1 - shareFraction) * periodMs;
