/**
 * Corrects profiles by service times of batches and start times of replicas, measured while serving. Each batch gives
 * the ratio of its service time to the profile's median for its size. The median of the last ratios is the correction.
 *
 * The closest sufficient measurements are used: of variant, core count and batch size, else of variant and core count,
 * else of the stage. Measurements of idle variants and batch sizes expire after five minutes; each expiry doubles that
 * time. So one slow minute excludes no variant for good.
 *
 * A correction is a power of 1.05. It stays in force until measurements differ from it by more than a tenth, so that
 * noise causes no new plans.
 *
 * A start lasts from the tick that first sees a replica starting to the tick that sees it ready, or the observation says
 * how long it took. A plan waits for its last replica, so plans use the 90 % quantile of recent starts, before the first
 * start the load time of the profile.
 */
import { medianOf } from '../../kernel/count-statistics.js';
import { CacheByOwner } from '../../kernel/lru-cache.js';
import type { BatchTimes, Observation, StartTimes } from '../../model/decision.js';
import type { ReplicaId, StageId, VariantId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { LatencyProfile, ProfileSet } from '../../model/profile-point.js';
import { scaledPoint } from '../../profile/scale-profile.js';
import type { ServiceCurves } from '../../profile/service-curves.js';
import { lawQuantileMs } from '../../profile/service-law.js';
import { defaultFleetLimits } from '../../serve/fleet/fleet-effects.js';
import type { ControlContext, ControllerRules } from '../rules.js';

export interface SizeRatios {
  readonly batchSize: number;
  readonly ratios: readonly number[];
  /** Time (ms) since the last ratio; default 0. */
  readonly idleMs?: number;
  /** Number of expiries of the ratios; default 0. */
  readonly forgotten?: number;
}

export interface VariantRatios {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly sizes: readonly SizeRatios[];
}

export type ServiceRatios = readonly VariantRatios[];

const REMEMBERED = 100;
const FEWEST = 20;
/** Without a new ratio for this time (ms), ratios expire. Each expiry doubles the time. */
const FORGET_MS = 300_000;
const MOST_DOUBLINGS = 4;

interface PointName {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
}

/** `factor` on the times of a profile point. */
export interface Correction extends PointName {
  readonly factor: number;
}

const TOLERANCE = 1.1;
const STEP = 1.05;

export interface ServiceState {
  readonly measured: ServiceRatios;
  readonly corrections: readonly Correction[];
}

/** Median or mean service times (ms) of profile points; NaN without a curve. */
const profiledTimes = new CacheByOwner<number>(1024);

export const nothingMeasured: ServiceState = { measured: [], corrections: [] };

/** Adds the batches of a tick. Corrections change only when a plan is due. */
export function observeService(
  { spec, profiles, curves, partsFor }: ControllerRules,
  before: ServiceState,
  { observation, due }: { readonly observation: Observation; readonly due: boolean },
): ServiceState {
  if (partsFor === undefined) return before;
  const older = due ? aged(before.measured, spec.control.intervalMs) : before.measured;
  const measured = observeBatches(older, observation.batches ?? [], curves);
  if (!due) return { ...before, measured };
  return { measured, corrections: corrections(spec, profiles, { measured, inForce: before.corrections }) };
}

/** Ratios are relative to the uncorrected `curves`. */
export function observeBatches(
  before: ServiceRatios,
  batches: readonly BatchTimes[],
  curves: ServiceCurves,
): ServiceRatios {
  return batches.reduce((ratios, each) => withBatches(ratios, each, curves), before);
}

function withBatches(before: ServiceRatios, batches: BatchTimes, curves: ServiceCurves): ServiceRatios {
  const { stageId, variantId, cpuCores, batchSize, serviceMs, areMeans = false } = batches;
  const profiledMs = profiledTimes.remember(
    curves,
    JSON.stringify([stageId, variantId, cpuCores, batchSize, areMeans]),
    () => {
      const curve = curves.curve(stageId, variantId, cpuCores);
      if (curve === undefined) return Number.NaN;
      return areMeans ? curve.meanMs(batchSize) : lawQuantileMs(curve.law(batchSize), 0.5);
    },
  );
  const fresh = serviceMs.map((ms) => ms / profiledMs).filter((ratio) => Number.isFinite(ratio) && ratio > 0);
  if (fresh.length === 0) return before;
  const isOf = (each: VariantRatios): boolean =>
    each.stageId === stageId && each.variantId === variantId && each.cpuCores === cpuCores;
  const known = before.find(isOf) ?? { stageId, variantId, cpuCores, sizes: [] };
  const old = known.sizes.find((each) => each.batchSize === batchSize);
  const size: SizeRatios = {
    batchSize,
    ratios: [...(old?.ratios ?? []), ...fresh].slice(-REMEMBERED),
    ...(old?.forgotten !== undefined && { forgotten: old.forgotten }),
  };
  const sizes = [...known.sizes.filter((each) => each.batchSize !== batchSize), size].toSorted(
    (a, b) => a.batchSize - b.batchSize,
  );
  return [...before.filter((each) => !isOf(each)), { ...known, sizes }];
}

/** Ages ratios by `elapsedMs`, except in stages that ran no batch. */
export function aged(ratios: ServiceRatios, elapsedMs: number): ServiceRatios {
  const ran = new Set(ratios.filter(({ sizes }) => sizes.some(isFresh)).map(({ stageId }) => stageId));
  return ratios.map((each) =>
    ran.has(each.stageId) ? { ...each, sizes: each.sizes.map((size) => agedSize(size, elapsedMs)) } : each,
  );
}

/**
 * Ratios after a stop of `stoppedMs`. Ratios of idle batch sizes age by that time. After a stop of five minutes, other
 * sizes keep only 20 ratios, so that seconds of serving outweigh them.
 */
export function agedByStop(ratios: ServiceRatios, stoppedMs: number): ServiceRatios {
  return ratios.map((each) => ({
    ...each,
    sizes: each.sizes.map((size) => {
      if (!isFresh(size)) return agedSize(size, stoppedMs);
      return stoppedMs < FORGET_MS ? size : { ...size, ratios: size.ratios.slice(-FEWEST) };
    }),
  }));
}

const isFresh = ({ ratios, idleMs = 0 }: SizeRatios): boolean => ratios.length > 0 && idleMs === 0;

function agedSize(size: SizeRatios, elapsedMs: number): SizeRatios {
  const { batchSize, forgotten = 0 } = size;
  if (size.ratios.length === 0) return size;
  const idleMs = (size.idleMs ?? 0) + elapsedMs;
  const staysMs = FORGET_MS * 2 ** Math.min(forgotten, MOST_DOUBLINGS);
  return idleMs < staysMs ? { ...size, idleMs } : { batchSize, ratios: [], forgotten: forgotten + 1 };
}

/** Service time ÷ profiled time of a point, from the closest sufficient measurements; 1 without any. */
export function slownessOf(measured: ServiceRatios, { stageId, variantId, cpuCores, batchSize }: PointName): number {
  const stage = measured.filter((each) => each.stageId === stageId);
  const variant = stage.filter((each) => each.variantId === variantId && each.cpuCores === cpuCores);
  const size = variant.flatMap(({ sizes }) => sizes.filter((each) => each.batchSize === batchSize));
  const ratiosOf = (of: readonly VariantRatios[]): readonly number[] =>
    of.flatMap(({ sizes }) => sizes.flatMap(({ ratios }) => ratios));
  const closest = [size.flatMap(({ ratios }) => ratios), ratiosOf(variant), ratiosOf(stage)];
  const enough = closest.find((ratios) => ratios.length >= FEWEST);
  return enough === undefined ? 1 : medianOf(enough);
}

/** Corrections of all points whose factor is not 1. A correction in force stays while measurements agree with it. */
export function corrections(
  spec: PipelineSpec,
  profiles: ProfileSet,
  { measured, inForce }: { readonly measured: ServiceRatios; readonly inForce: readonly Correction[] },
): readonly Correction[] {
  return profilesOf(spec, profiles).flatMap(({ stageId, variantId, points }) =>
    points.flatMap(({ cpuCores, batchSize }): readonly Correction[] => {
      const point = { stageId, variantId, cpuCores, batchSize };
      const present = factorOf(inForce, point);
      const slowness = slownessOf(measured, point);
      const off = Math.max(slowness / present, present / slowness);
      const factor = off > TOLERANCE ? STEP ** Math.round(Math.log(slowness) / Math.log(STEP)) : present;
      return factor === 1 ? [] : [{ ...point, factor }];
    }),
  );
}

function factorOf(inForce: readonly Correction[], point: PointName): number {
  const found = inForce.find(
    (each) =>
      each.stageId === point.stageId &&
      each.variantId === point.variantId &&
      each.cpuCores === point.cpuCores &&
      each.batchSize === point.batchSize,
  );
  return found?.factor ?? 1;
}

/** All profiles of a pipeline with corrections, inline profiles included. */
export function correctedProfiles(spec: PipelineSpec, profiles: ProfileSet, all: readonly Correction[]): ProfileSet {
  return profilesOf(spec, profiles).map((profile) => ({
    ...profile,
    points: profile.points.map((point) => {
      const factor = factorOf(all, { ...profile, ...point });
      return factor === 1 ? point : { ...scaledPoint(point, factor), learnedFactor: factor };
    }),
  }));
}

function profilesOf(spec: PipelineSpec, profiles: ProfileSet): readonly LatencyProfile[] {
  return spec.stages.flatMap((stage) =>
    stage.variants.map((variant): LatencyProfile => {
      const measured = profiles.find((each) => each.stageId === stage.id && each.variantId === variant.id);
      const { profile: points = [], loadMs = 0 } = variant;
      return measured ?? { stageId: stage.id, variantId: variant.id, points, loadMs };
    }),
  );
}

export interface StartState {
  /** Time at which each replica was first seen starting. */
  readonly startingSinceMs: Readonly<Record<ReplicaId, number>>;
  /** Of the last starts. */
  readonly times: readonly StartTimes[];
}

export const noStarts: StartState = { startingSinceMs: {}, times: [] };

const REMEMBERED_STARTS = 20;
const START_QUANTILE = 0.9;

/** Adds the starts that a tick sees. Returns the same object if no replica was or is starting. */
export function observeStarts(before: StartState, { atMs, runningPlan, starts = [] }: Observation): StartState {
  const startingSinceMs: Record<ReplicaId, number> = {};
  let times = starts.reduce(withStart, before.times);
  for (const [id, { replicas }] of Object.entries(runningPlan.stages)) {
    const starting = replicas.filter(({ status }) => status === 'starting');
    for (const { replicaId, variantId, status } of replicas) {
      const sinceMs = before.startingSinceMs[replicaId];
      if (status === 'starting') startingSinceMs[replicaId] = sinceMs ?? atMs;
      if (status !== 'ready' || sinceMs === undefined || sinceMs > atMs) continue;
      const atOnce = starting.filter((other) => other.variantId === variantId).length + 1;
      times = withStart(times, { stageId: id as StageId, variantId, startMs: [atMs - sinceMs], atOnce });
    }
  }
  const isQuiet = [startingSinceMs, before.startingSinceMs].every((each) => Object.keys(each).length === 0);
  return isQuiet && starts.length === 0 ? before : { startingSinceMs, times };
}

function withStart(times: readonly StartTimes[], { stageId, variantId, startMs, atOnce }: StartTimes) {
  const isOf = (each: StartTimes) => each.stageId === stageId && each.variantId === variantId;
  const known = times.find(isOf);
  const all = [...(known?.startMs ?? []), ...startMs].slice(-REMEMBERED_STARTS);
  return [
    ...times.filter((each) => !isOf(each)),
    { stageId, variantId, startMs: all, atOnce: Math.max(known?.atOnce ?? 0, atOnce) },
  ];
}

/** Replaces the times by their 90 % quantile, which is all that decisions use. */
export function summarizedStarts({ times }: StartState): readonly StartTimes[] {
  return times.map((each) => ({ ...each, startMs: [quantileMs(each.startMs)] }));
}

/** Start time (ms) to plan for, and number of replicas of the variant that start at once. */
export function startOf(
  context: Pick<ControlContext, 'spec' | 'profiles'>,
  times: readonly StartTimes[],
  { stageId, variantId }: Pick<StartTimes, 'stageId' | 'variantId'>,
): { readonly startMs: number; readonly atOnce: number } {
  const known = times.find((each) => each.stageId === stageId && each.variantId === variantId);
  return {
    startMs: known === undefined ? profiledLoadMs(context, stageId, variantId) : quantileMs(known.startMs),
    atOnce: Math.max(defaultFleetLimits.startConcurrency, known?.atOnce ?? 0),
  };
}

/** Load time of a variant by its profile, else by the pipeline file, else 0. */
export function profiledLoadMs(
  { spec, profiles }: Pick<ControlContext, 'spec' | 'profiles'>,
  stageId: StageId,
  variantId: VariantId,
): number {
  const measured = profiles.find((profile) => profile.stageId === stageId && profile.variantId === variantId)?.loadMs;
  const declared = spec.stages.find(({ id }) => id === stageId)?.variants.find(({ id }) => id === variantId)?.loadMs;
  return measured ?? declared ?? 0;
}

function quantileMs(startMs: readonly number[]): number {
  return startMs.toSorted((a, b) => a - b)[Math.ceil(START_QUANTILE * startMs.length) - 1] ?? 0;
}
