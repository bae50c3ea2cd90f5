/**
 * Fits corrections to batches served under several loads. For each variant: ridge regression of (time ÷ profiled mean)
 * on hand-over, recent use and other running batches. The prior holds what the batches cannot tell apart: hand-over and
 * inflation with one batch size, contention where one batch runs at a time. Hand-over and contention are costs, so they
 * are at least 0.
 */
import { medianOf } from '../kernel/count-statistics.js';
import type { StageId, VariantId } from '../model/ids.js';
import type { EstimatedValue, HostState, ServiceCorrection } from '../model/service-correction.js';
import { bunchingOf } from './bunching.js';
import { correctedMeanMs, useClass, useClassCount } from './corrected-service.js';
import { pausesOf, type TimedWork, usualFactor, usualFactorLimit } from './pauses.js';
import { quantilesAt, spreadFractions } from './quantile-spread.js';
import { RecentUse, workOf } from './recent-use.js';
import { addRow, emptySums, type RidgeSums, segmentsFit } from './ridge-fit.js';

/** Batch from start to end, on one clock. */
export interface TimedBatch {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly batchSize: number;
  readonly startedAtMs: number;
  readonly ms: number;
  readonly profiledMs: number;
  /** CPU time, if the replica has a share of a core. */
  readonly cpuMs?: number | undefined;
}

/** Each segment begins with a rested host. */
export interface CalibrationInput {
  readonly segments: readonly (readonly TimedBatch[])[];
  readonly usableCores: number;
}

export interface VariantCorrection {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly correction: ServiceCorrection;
}

/** Batch with the state of the host at its start. */
interface ObservedBatch extends TimedBatch {
  readonly segment: number;
  readonly state: HostState;
}

/** Fewer batches of a variant give no correction. */
const FEWEST_BATCHES = 100;
const FEWEST_IN_CLASS = 60;
/** Use from which a host counts as loaded. */
const LOADED_USE = 0.5;

/** Variants with at least 100 batches. */
export function fitCorrections({ segments, usableCores }: CalibrationInput): readonly VariantCorrection[] {
  const usual = new Map(byVariant(segments.flat()).map(([key, batches]) => [key, usualFactorOf(batches)]));
  const usualMs = (batch: TimedBatch) => (usual.get(variantKey(batch)) ?? 1) * batch.profiledMs;
  const observed = segments.map((segment, index) => observedBatches(segment, { index, usableCores, usualMs }));
  const fitted = byVariant(observed.flat())
    .filter(([, { length }]) => length >= FEWEST_BATCHES)
    .map(([, batches]) => fitVariant(batches));
  const factors = new Map(fitted.flatMap((variant) => variant.factors));
  const bunching = bunchingOf(
    observed.map((segment) => segment.filter((batch) => factors.has(batch))),
    (batch) => factors.get(batch) as number,
  );
  return fitted.map(({ stageId, variantId, correction }) => ({
    stageId,
    variantId,
    correction: { ...correction, bunching },
  }));
}

const variantKey = ({ stageId, variantId }: TimedBatch): string => JSON.stringify([stageId, variantId]);

function byVariant<Batch extends TimedBatch>(
  batches: readonly Batch[],
): readonly (readonly [string, readonly Batch[]])[] {
  const variants = new Map<string, Batch[]>();
  for (const batch of batches) {
    const known = variants.get(variantKey(batch));
    if (known === undefined) variants.set(variantKey(batch), [batch]);
    else known.push(batch);
  }
  return [...variants];
}

const usualFactorOf = (batches: readonly TimedBatch[]): number =>
  medianOf(batches.map(({ ms, profiledMs }) => ms / profiledMs));

/** Without measured CPU time, a batch takes that of the profile. */
function cpuFractionOf(batches: readonly TimedBatch[]): number {
  const metered = batches.filter(({ cpuMs }) => cpuMs !== undefined);
  const counted = metered.length >= FEWEST_BATCHES ? metered : batches;
  const sum = (of: (batch: TimedBatch) => number) => counted.reduce((total, batch) => total + of(batch), 0);
  return Math.min(1, sum(({ cpuMs, profiledMs }) => cpuMs ?? profiledMs) / sum(({ ms }) => ms));
}

function observedBatches(
  batches: readonly TimedBatch[],
  host: {
    readonly index: number;
    readonly usableCores: number;
    readonly usualMs: (batch: TimedBatch) => number;
  },
): readonly ObservedBatch[] {
  const { index: segment, usableCores, usualMs } = host;
  const use = new RecentUse(usableCores);
  const running: { readonly endsAtMs: number; readonly work: number }[] = [];
  const firstMs = Math.min(...batches.slice(0, 1).map(({ startedAtMs }) => startedAtMs));
  return batches
    .toSorted((a, b) => a.startedAtMs - b.startedAtMs)
    .map((batch) => {
      const nowMs = batch.startedAtMs - firstMs;
      while (running[0] !== undefined && running[0].endsAtMs <= nowMs) {
        use.ended(running[0].endsAtMs, running[0].work);
        running.shift();
      }
      const state = use.stateAt(nowMs);
      const ends = { endsAtMs: nowMs + batch.ms, work: workOf(usualMs(batch), batch.ms) };
      use.started(nowMs, ends.work);
      const place = running.findIndex((other) => other.endsAtMs > ends.endsAtMs);
      running.splice(place < 0 ? running.length : place, 0, ends);
      return { ...batch, segment, state };
    });
}

/** Prior standard deviations: hand-over in ms depends on the times, the others are fractions of the profiled time. */
const PRIOR_FRACTION = 0.5;

function fitVariant(batches: readonly ObservedBatch[]) {
  const [{ stageId, variantId }] = batches as readonly [ObservedBatch];
  const usualMs = batches.reduce((sum, { profiledMs }) => sum + profiledMs, 0) / batches.length;
  const sums = new Map<number, RidgeSums>();
  for (const { profiledMs, ms, state, segment } of batches) {
    const known = sums.get(segment) ?? emptySums(4);
    sums.set(segment, known);
    addRow(known, [usualMs / profiledMs, 1, state.recentUse, state.otherBatches], ms / profiledMs - 1);
  }
  const prior = [PRIOR_FRACTION, PRIOR_FRACTION, PRIOR_FRACTION, PRIOR_FRACTION];
  const { values, halfWidths } = segmentsFit([...sums.values()], { prior, atLeastZero: [0, 3] });
  const estimated = (index: number, unit = 1): EstimatedValue => ({
    value: unit * (values[index] as number),
    halfWidth: unit * (halfWidths[index] as number),
  });
  const parts = {
    handOverMs: estimated(0, usualMs),
    inflation: estimated(1),
    loadInflation: estimated(2),
    contention: estimated(3),
    usual: usualState(batches),
    usualFactor: usualFactorOf(batches),
    cpuFraction: cpuFractionOf(batches),
    batches: batches.length,
  };
  const mean = { ...parts, spread: [], bunching: { correlation: 0, memoryMs: 1 } };
  const timed = batches.map(
    (batch): TimedWork => ({ ms: batch.ms, expectedMs: correctedMeanMs(batch.profiledMs, mean, batch.state) }),
  );
  const limit = usualFactorLimit(timed);
  const factors = batches.map((batch, index) => [batch, usualFactor(timed[index] as TimedWork, limit)] as const);
  const pauses = pausesOf(timed, limit);
  const spread = spreadOf(factors);
  return { stageId, variantId, factors, correction: { ...parts, spread, ...(pauses !== undefined && { pauses }) } };
}

/** Mean over the batches of a loaded host, or over all if few of them found one. */
function usualState(batches: readonly ObservedBatch[]): HostState {
  const loaded = batches.filter(({ state }) => state.recentUse >= LOADED_USE);
  const counted = loaded.length >= FEWEST_IN_CLASS ? loaded : batches;
  const mean = (of: (state: HostState) => number) =>
    counted.reduce((sum, { state }) => sum + of(state), 0) / counted.length;
  return { recentUse: mean(({ recentUse }) => recentUse), otherBatches: mean(({ otherBatches }) => otherBatches) };
}

/** A class with few batches takes the factors of all. */
function spreadOf(factors: readonly (readonly [ObservedBatch, number])[]): readonly (readonly number[])[] {
  const quantiles = (of: typeof factors): readonly number[] =>
    quantilesAt(
      spreadFractions,
      of.map(([, factor]) => factor),
    );
  return Array.from({ length: useClassCount }, (_, index) => {
    const ofClass = factors.filter(([{ state }]) => useClass(state.recentUse) === index);
    return quantiles(ofClass.length >= FEWEST_IN_CLASS ? ofClass : factors);
  });
}
