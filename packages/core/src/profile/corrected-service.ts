/**
 * Service times under load: the mean by the state of the host, the spread around it, and the profile point that plans
 * use. The linear form separates what a host can change: hand-over, load, contention. Everything else is spread.
 */
import type { ProfilePoint } from '../model/profile-point.js';
import type { HostState, ServiceCorrection, ThreadCost } from '../model/service-correction.js';
import { pausedPerMs, quantileWithPauses } from './pauses.js';
import { spreadFractions, spreadMean } from './quantile-spread.js';
import { lawMeanMs, lawOfPoint, lawQuantileMs } from './service-law.js';

/** Recent use at which a class begins. The last is that of a host without pauses. */
const USE_CLASSES: readonly number[] = [0, 0.3, 0.6, 0.85, 0.97];
export const useClassCount = USE_CLASSES.length;

/** A mean stays above this fraction of the profiled one. */
const LEAST_FRACTION = 0.1;
const TAIL_FRACTION = 0.99;

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

/** Mean time (ms) of the serving thread for a batch; 0 if its work was not measured. */
const threadMs = ({ thread }: ServiceCorrection, batchSize: number): number =>
  thread === undefined ? 0 : thread.hopMs.value + thread.itemMs.value * batchSize;

/** Point as served on a loaded host. Points that say nothing about times stay as they are. */
export function correctedPoint(point: ProfilePoint, correction: ServiceCorrection): ProfilePoint {
  const read = lawOfPoint(point);
  if (read.kind === 'invalid') return point;
  const { usual, spread, pauses } = correction;
  const ofUse = spread[useClass(usual.recentUse)] as readonly number[];
  const stateMs = correctedMeanMs(lawMeanMs(read.law), correction, usual);
  const handledMs = threadMs(correction, point.batchSize);
  const meanMs = stateMs * (spreadMean(ofUse) + pausedPerMs(pauses)) + handledMs;
  const usualMs = ofUse.map((factor) => stateMs * factor);
  const tailMs = quantileWithPauses(usualMs, { pauses, workMs: stateMs, fraction: TAIL_FRACTION });
  const p99Ms = Math.max(meanMs, tailMs + handledMs);
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
const isPauses = (value: unknown): boolean =>
  isObject(value) && isNumber(value['perMs']) && Number(value['perMs']) >= 0 && isSpread(value['lengthsMs']);
const isThreadCost = (value: unknown): boolean =>
  isObject(value) &&
  threadParts.every((name) => isEstimate(value[name]) && Number((value[name] as { value: number }).value) >= 0) &&
  isSpread(value['spread']) &&
  (value['pauses'] === undefined || isPauses(value['pauses']));

/** Checks a stored correction. */
export function isServiceCorrection(value: unknown): value is ServiceCorrection {
  if (!isObject(value)) return false;
  const { usual, spread, bunching, usualFactor, cpuFraction, batches, pauses, thread } = value;
  const estimates = ['handOverMs', 'inflation', 'loadInflation', 'contention'].map((name) => value[name]);
  return (
    estimates.every(isEstimate) &&
    (thread === undefined || isThreadCost(thread)) &&
    (pauses === undefined || isPauses(pauses)) &&
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
