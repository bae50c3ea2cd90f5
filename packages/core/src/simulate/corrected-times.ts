/**
 * Service times under load, for curves with a correction: the mean follows the state of the host, the factor on it is
 * drawn from the spread. Slow factors come together: their normal scores share a part that decays with time
 * (Ornstein–Uhlenbeck), over all stages.
 */
import { normalFraction, normalQuantile } from '../kernel/normal-quantile.js';
import type { Rng } from '../kernel/rng.js';
import { correctedMeanMs, useClass } from '../profile/corrected-service.js';
import { drawPauseMs } from '../profile/pauses.js';
import { spreadAt } from '../profile/quantile-spread.js';
import { RecentUse, workOf } from '../profile/recent-use.js';
import type { ServiceCurve } from '../profile/service-curves.js';
import { drawMs } from '../profile/service-law.js';

interface StartedBatch {
  readonly curve: ServiceCurve;
  readonly batchSize: number;
  /** Number of the replica that runs it. */
  readonly engine: number;
}

export class CorrectedTimes {
  readonly #use: RecentUse;
  readonly #work: (number | undefined)[] = [];
  #shared = Number.NaN;
  #drawnAtMs = 0;

  constructor(usableCores: number) {
    this.#use = new RecentUse(usableCores);
  }

  /** Service time (ms) of a batch that starts now. */
  start({ curve, batchSize, engine }: StartedBatch, nowMs: number, rng: Rng): number {
    const { calibrated } = curve;
    const profiledMs = calibrated?.profiledMs(batchSize) ?? curve.meanMs(batchSize);
    const ms =
      calibrated === undefined ? drawMs(curve.law(batchSize), rng) : this.#draw(calibrated, profiledMs, { nowMs, rng });
    const work = workOf((calibrated?.correction.usualFactor ?? 1) * profiledMs, ms);
    this.#work[engine] = work;
    this.#use.started(nowMs, work);
    return ms;
  }

  ended(engine: number, nowMs: number): void {
    const work = this.#work[engine];
    if (work === undefined) return;
    this.#work[engine] = undefined;
    this.#use.ended(nowMs, work);
  }

  #draw(
    { correction }: NonNullable<ServiceCurve['calibrated']>,
    profiledMs: number,
    { nowMs, rng }: { readonly nowMs: number; readonly rng: Rng },
  ): number {
    const state = this.#use.stateAt(nowMs);
    const { correlation, memoryMs } = correction.bunching;
    const fresh = normalScore(rng);
    const kept = Number.isNaN(this.#shared) ? 0 : Math.exp(-(nowMs - this.#drawnAtMs) / memoryMs);
    this.#shared = kept === 0 ? fresh : kept * this.#shared + Math.sqrt(1 - kept * kept) * fresh;
    this.#drawnAtMs = nowMs;
    const score = Math.sqrt(correlation) * this.#shared + Math.sqrt(1 - correlation) * normalScore(rng);
    const spread = correction.spread[useClass(state.recentUse)] as readonly number[];
    const meanMs = correctedMeanMs(profiledMs, correction, state);
    return meanMs * spreadAt(spread, normalFraction(score)) + drawPauseMs(correction.pauses, meanMs, rng);
  }
}

const LEAST_FRACTION = 1e-9;
const normalScore = (rng: Rng): number => normalQuantile(Math.max(LEAST_FRACTION, rng.next()));
