/**
 * References of stages whose rate exceeds the capacity at times. Their p99 depends on few long overloads, so plain runs
 * need billions of requests. The distribution of the overloads is known exactly. A fluid queue with rise r = factor · ρ
 * − 1 has P(delay > x, high) = π e^(−ηx) and P(delay > x, low) = π (r_high ÷ |r_low|) e^(−ηx). Here π is the share of
 * time at the high rate and η = 1 ÷ (r_high · mean high time) − 1 ÷ (|r_low| · mean low time) (Anick, Mitra, Sondhi
 * 1982, one source). Each run drives stage and fluid queue with the same switches. The fluid's deviation from its known
 * mean is a control variate (Glasserman, Monte Carlo Methods in Financial Engineering, §4.1). A run starts from the
 * fluid's stationary backlog.
 */
import type { ArrivalProcess } from '../../packages/core/src/estimate/arrivals.js';
import { drawExponential, type Rng } from '../../packages/core/src/kernel/rng.js';

export interface Overloads {
  readonly process: ArrivalProcess & { readonly kind: 'mmpp' };
  readonly arrivalRps: number;
  readonly loadFactor: number;
}

/** Law of the fluid's delay seen by arrivals. */
interface FluidLaw {
  readonly highShare: number;
  /** Rise per ms at the high rate and fall at the low rate, in ms of delay; both positive. */
  readonly rise: number;
  readonly fall: number;
  readonly decayPerMs: number;
}

/** Arrivals of a run (ms), and the fluid's counted arrivals with a delay above each threshold. */
export interface DrivenRun {
  readonly arrivedAtMs: Float64Array;
  /** Arrivals before the counted time. */
  readonly warmUp: number;
  /** Expected arrivals in the counted time. */
  readonly expected: number;
  /** Fluid minus its known mean, as fractions of the expected arrivals. */
  readonly deviations: readonly number[];
}

/** Fractions of arrivals delayed beyond the thresholds, around the tail of a p99. */
const LATE_PARTS = [0.03, 0.01, 0.004];
const WARM_UP_FRACTION = 0.05;

/** True if the rate exceeds the capacity at times. */
export const hasOverloads = <Stage extends { readonly process: ArrivalProcess; readonly loadFactor: number }>(
  stage: Stage,
): stage is Stage & Overloads => stage.process.kind === 'mmpp' && stage.process.highFactor * stage.loadFactor > 1;

function fluidLaw({ process, loadFactor }: Overloads): FluidLaw {
  const { highFactor, lowFactor, meanHighMs, meanLowMs } = process;
  const rise = highFactor * loadFactor - 1;
  const fall = 1 - lowFactor * loadFactor;
  const highShare = meanHighMs / (meanHighMs + meanLowMs);
  return { highShare, rise, fall, decayPerMs: 1 / (rise * meanHighMs) - 1 / (fall * meanLowMs) };
}

/** Fraction of arrivals delayed by the fluid. */
const delayedPart = ({ highFactor, lowFactor }: Overloads['process'], { highShare, rise, fall }: FluidLaw): number =>
  highShare * (highFactor + (lowFactor * rise) / fall);

/** Time (ms) above `thresholdMs` within `ms` of a delay that starts at `fromMs` and changes by `slope` per ms. */
function timeAbove(fromMs: number, slope: number, ms: number, thresholdMs: number): number {
  const crossesAt = (thresholdMs - fromMs) / slope;
  const before = Math.min(ms, Math.max(0, crossesAt));
  return slope > 0 ? ms - before : fromMs > thresholdMs ? before : 0;
}

/** Drives a run of about `requests` requests. */
export function drivenRun(subject: Overloads, requests: number, rng: Rng): DrivenRun {
  const { process, arrivalRps, loadFactor } = subject;
  const law = fluidLaw(subject);
  const delayed = delayedPart(process, law);
  const thresholdsMs = LATE_PARTS.map((part) => Math.max(0, Math.log(delayed / part) / law.decayPerMs));
  const known = thresholdsMs.map((ms) => delayed * Math.exp(-law.decayPerMs * ms));
  const ratePerMs = arrivalRps / 1000;
  const endMs = requests / ratePerMs;
  const fromMs = WARM_UP_FRACTION * endMs;

  let high = rng.next() < law.highShare;
  const busyWhenLow = (law.highShare * law.rise) / (law.fall * (1 - law.highShare));
  let delayMs = high || rng.next() < busyWhenLow ? drawExponential(rng) / law.decayPerMs : 0;
  const waiting = Math.round((delayMs * ratePerMs) / loadFactor);
  const times: number[] = new Array<number>(waiting).fill(0);
  let warmUp = waiting;
  const late = new Float64Array(thresholdsMs.length);
  let all = 0;
  for (let nowMs = 0; nowMs < endMs; high = !high) {
    const heldMs = Math.min(endMs - nowMs, drawExponential(rng) * (high ? process.meanHighMs : process.meanLowMs));
    const perMs = ratePerMs * (high ? process.highFactor : process.lowFactor);
    const slope = high ? law.rise : -law.fall;
    const skippedMs = Math.min(heldMs, Math.max(0, fromMs - nowMs));
    const countedFromMs = Math.max(0, delayMs + slope * skippedMs);
    all += perMs * (heldMs - skippedMs);
    thresholdsMs.forEach((threshold, i) => {
      late[i] = (late[i] as number) + perMs * timeAbove(countedFromMs, slope, heldMs - skippedMs, threshold);
    });
    for (let at = drawExponential(rng) / perMs; at < heldMs; at += drawExponential(rng) / perMs) {
      times.push(nowMs + at);
      if (nowMs + at < fromMs) warmUp++;
    }
    delayMs = Math.max(0, delayMs + slope * heldMs);
    nowMs += heldMs;
  }
  const mean = ratePerMs * (endMs - fromMs);
  const deviations = [...known.map((part, i) => (late[i] as number) / mean - part), all / mean - 1];
  return { arrivedAtMs: Float64Array.from(times), warmUp, expected: mean, deviations };
}
