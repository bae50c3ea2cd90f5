/**
 * Service times under load: the mean by the state of the host, the spread around it, and the profile point that plans
 * use. The linear form separates what a host can change: hand-over, load, contention. Everything else is spread.
 */
import type { ProfilePoint } from '../model/profile-point.js';
import type { HostState, ServiceCorrection, ThreadCost } from '../model/service-correction.js';
import { lawMeanMs, lawOfPoint, lawQuantileMs } from './service-law.js';

/** Fractions of the quantiles in `spread`. */
export const spreadFractions: readonly number[] = [
  0, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
  0.925, 0.95, 0.965, 0.98, 0.99, 0.995, 0.999, 1,
];
/** Recent use at which a class begins. The last is that of a host without pauses. */
const USE_CLASSES: readonly number[] = [0, 0.3, 0.6, 0.85, 0.97];
export const useClassCount = USE_CLASSES.length;

/** A mean stays above this fraction of the profiled one. */
const LEAST_FRACTION = 0.1;
const USUAL_FRACTION = 0.99;

/** Mean (ms) before the spread. */
export function correctedMeanMs(profiledMs: number, correction: ServiceCorrection, state: HostState): number {
  const { handOverMs, inflation, loadInflation, contention } = correction;
  const factor = 1 + inflation.value + loadInflation.value * state.recentUse + contention.value * state.otherBatches;
  return Math.max(LEAST_FRACTION * profiledMs, handOverMs.value + profiledMs * factor);
}

/** Class of recent use (0…1). */
export function useClass(recentUse: number): number {
  let found = useClassCount - 1;
  while (found > 0 && recentUse < (USE_CLASSES[found] as number)) found -= 1;
  return found;
}

/** Factor on the mean at a fraction of the spread. */
export function spreadAt(spread: readonly number[], fraction: number): number {
  let above = 1;
  while (above < spreadFractions.length - 1 && (spreadFractions[above] as number) < fraction) above += 1;
  const from = spreadFractions[above - 1] as number;
  const weight = (fraction - from) / ((spreadFractions[above] as number) - from);
  return (1 - weight) * (spread[above - 1] as number) + weight * (spread[above] as number);
}

export function spreadMean(spread: readonly number[]): number {
  return spreadFractions
    .slice(1)
    .reduce(
      (sum, to, i) =>
        sum + ((to - (spreadFractions[i] as number)) * ((spread[i] as number) + (spread[i + 1] as number))) / 2,
      0,
    );
}

/** Mean time (ms) of the serving thread for a batch; 0 if its work was not measured. */
const threadMs = ({ thread }: ServiceCorrection, batchSize: number): number =>
  thread === undefined ? 0 : thread.hopMs.value + thread.itemMs.value * batchSize;

/** Point as served on a loaded host. Points that say nothing about times stay as they are. */
export function correctedPoint(point: ProfilePoint, correction: ServiceCorrection): ProfilePoint {
  const read = lawOfPoint(point);
  if (read.kind === 'invalid') return point;
  const { usual, spread } = correction;
  const ofUse = spread[useClass(usual.recentUse)] as readonly number[];
  const stateMs = correctedMeanMs(lawMeanMs(read.law), correction, usual);
  const handledMs = threadMs(correction, point.batchSize);
  const meanMs = stateMs * spreadMean(ofUse) + handledMs;
  const p99Ms = Math.max(meanMs, stateMs * spreadAt(ofUse, USUAL_FRACTION) + handledMs);
  const { cpuCores, batchSize, memoryBytes, meanUncertaintyFraction, learnedFactor } = point;
  const slower = meanMs / lawMeanMs(read.law);
  return {
    cpuCores,
    batchSize,
    meanMs,
    p50Ms: Math.min(meanMs, lawQuantileMs(read.law, 0.5) * slower),
    p99Ms,
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(meanUncertaintyFraction !== undefined && { meanUncertaintyFraction }),
    ...(learnedFactor !== undefined && { learnedFactor }),
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isSpread = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === spreadFractions.length &&
  value.every((factor) => isNumber(factor) && factor >= 0);

const isEstimate = (one: unknown): boolean => isObject(one) && isNumber(one['value']) && isNumber(one['halfWidth']);
const threadParts: readonly Exclude<keyof ThreadCost, 'spread'>[] = [
  'arrivalMs',
  'answerMs',
  'refusalMs',
  'hopMs',
  'itemMs',
];
const isThreadCost = (value: unknown): boolean =>
  isObject(value) &&
  threadParts.every((name) => isEstimate(value[name]) && Number((value[name] as { value: number }).value) >= 0) &&
  isSpread(value['spread']);

/** Checks a stored correction. */
export function isServiceCorrection(value: unknown): value is ServiceCorrection {
  if (!isObject(value)) return false;
  const { usual, spread, bunching, usualFactor, cpuFraction, batches, thread } = value;
  const estimates = ['handOverMs', 'inflation', 'loadInflation', 'contention'].map((name) => value[name]);
  return (
    estimates.every(isEstimate) &&
    (thread === undefined || isThreadCost(thread)) &&
    isObject(usual) &&
    isNumber(usual['recentUse']) &&
    isNumber(usual['otherBatches']) &&
    Array.isArray(spread) &&
    spread.length === useClassCount &&
    spread.every(isSpread) &&
    isObject(bunching) &&
    isNumber(bunching['correlation']) &&
    isNumber(bunching['memoryMs']) &&
    isNumber(usualFactor) &&
    isNumber(cpuFraction) &&
    isNumber(batches)
  );
}
