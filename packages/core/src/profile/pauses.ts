/**
 * Pauses: what lies above the usual spread of times. A pause takes as long in a short piece of work as in a long one, so it
 * is added. As a factor, a pause of 10 ms seen in work of 0.1 ms would stretch other work a hundred times.
 */
import type { Rng } from '../kernel/rng.js';
import type { Pauses } from '../model/service-correction.js';
import {
  quantilesAt,
  spreadAt,
  spreadFractions,
  spreadMean,
  type Weighted,
  weightedQuantilesAt,
} from './quantile-spread.js';

/** Piece of work: its time and the expected one, both in ms, the latter above 0. */
export interface TimedWork {
  readonly ms: number;
  readonly expectedMs: number;
}

/** A shorter excess over the usual times is no pause. */
const LEAST_PAUSE_MS = 0.5;
/** Fraction of the work that keeps within the usual times. */
const USUAL_FRACTION = 0.95;

/** Factors (time ÷ expected time), which weigh as the time that they multiply. */
export const factorsOf = (work: readonly TimedWork[]): readonly Weighted[] =>
  work.map(({ ms, expectedMs }) => ({ value: ms / expectedMs, weight: expectedMs }));

/** Greatest usual factor. */
export const usualFactorLimit = (work: readonly TimedWork[]): number =>
  weightedQuantilesAt([USUAL_FRACTION], factorsOf(work))[0] as number;

/** Time (ms) beyond the usual one; 0 if it is too short for a pause. */
function pauseMs({ ms, expectedMs }: TimedWork, limit: number): number {
  const excessMs = ms - limit * expectedMs;
  return excessMs < LEAST_PAUSE_MS ? 0 : excessMs;
}

/** Time (ms) of work without its pause. */
export const usualMs = (work: TimedWork, limit: number): number => work.ms - pauseMs(work, limit);

/** Factor of work without its pause. */
export const usualFactor = (work: TimedWork, limit: number): number => usualMs(work, limit) / work.expectedMs;

/** Undefined without pauses. */
export function pausesOf(work: readonly TimedWork[], limit: number): Pauses | undefined {
  const lengthsMs = work.map((each) => pauseMs(each, limit)).filter((ms) => ms > 0);
  if (lengthsMs.length === 0) return undefined;
  const workMs = work.reduce((sum, { expectedMs }) => sum + expectedMs, 0);
  return { perMs: lengthsMs.length / workMs, lengthsMs: quantilesAt(spreadFractions, lengthsMs) };
}

/** Mean time (ms) of the pauses in a ms of work. */
export const pausedPerMs = (pauses: Pauses | undefined): number =>
  pauses === undefined ? 0 : pauses.perMs * spreadMean(pauses.lengthsMs);

/** Pause (ms) in this much expected work, mostly 0: at most one. Draws nothing without pauses. */
export function drawPauseMs(pauses: Pauses | undefined, workMs: number, rng: Rng): number {
  if (pauses === undefined || rng.next() >= pauses.perMs * workMs) return 0;
  return spreadAt(pauses.lengthsMs, rng.next());
}

/** Quantile (ms) of usual times that have a pause with probability `perMs` · `workMs`. */
export function quantileWithPauses(
  usualMs: readonly number[],
  {
    pauses,
    workMs,
    fraction,
  }: { readonly pauses: Pauses | undefined; readonly workMs: number; readonly fraction: number },
): number {
  if (pauses === undefined) return spreadAt(usualMs, fraction);
  const paused = Math.min(1, pauses.perMs * workMs);
  const times = middlesOf(usualMs).flatMap(({ value, weight }) => [
    { value, weight: weight * (1 - paused) },
    ...middlesOf(pauses.lengthsMs).map((pause) => ({
      value: value + pause.value,
      weight: weight * pause.weight * paused,
    })),
  ]);
  return weightedQuantilesAt([fraction], times)[0] as number;
}

/** Middles between quantiles, with the probabilities between them. */
const middlesOf = (quantiles: readonly number[]) =>
  spreadFractions.slice(1).map((to, i) => ({
    value: ((quantiles[i] as number) + (quantiles[i + 1] as number)) / 2,
    weight: to - (spreadFractions[i] as number),
  }));
