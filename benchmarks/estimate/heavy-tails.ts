/**
 * Stages and chains with lognormal service times whose p99 is 1.2–2, 2–3 or 3–4 times the mean, drawn with a fixed
 * seed. Replicas 1–12, caps 1–32 (log-uniform), load factors 0.2–0.95, affine curves with a fixed-cost share of 0–0.9,
 * Poisson arrivals. Half of the stages get groups of 1–16 single items, as from batches of the stage before. Chains
 * have one to five stages with full-batch times of 5–400 ms. CPU shares are 0.1–0.95 of a core.
 */
import type { StageConfiguration } from '../../packages/core/src/estimate/pipeline-latency.js';
import type { StageQuery } from '../../packages/core/src/estimate/stage-sojourn.js';
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import { stageId } from '../../packages/core/src/model/ids.js';
import { type CurvePoint, type ServiceCurve, serviceCurve } from '../../packages/core/src/profile/service-curves.js';
import { lawOfPoint } from '../../packages/core/src/profile/service-law.js';
import { chainSpec, type RandomPipeline } from './random-pipelines.js';

/** Bounds of p99 ÷ mean. */
export type TailClass = '1.2–2' | '2–3' | '3–4';
export const tailClasses: readonly TailClass[] = ['1.2–2', '2–3', '3–4'];
const BOUNDS = { '1.2–2': [1.2, 2], '2–3': [2, 3], '3–4': [3, 4] } as const;

export interface TailStage {
  readonly tail: TailClass;
  readonly loadFactor: number;
  readonly query: StageQuery;
}

/** `loadFactor` of the busiest stage. */
export interface TailChain {
  readonly tail: TailClass;
  readonly loadFactor: number;
  readonly pipeline: RandomPipeline;
}

const SHORTEST_MS = 5;
const LONGEST_MS = 400;
const MOST_STAGES = 5;
const MOST_REPLICAS = 12;
const LARGEST_CAP = 32;
const LARGEST_GROUP = 16;

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();
const logBetween = (rng: Rng, low: number, high: number): number => low * (high / low) ** rng.next();
const whole = (rng: Rng, low: number, high: number): number => low + Math.floor((high - low + 1) * rng.next());

function pointOf(batchSize: number, meanMs: number, ratio: number): CurvePoint {
  const read = lawOfPoint({ cpuCores: 1, batchSize, meanMs, p99Ms: ratio * meanMs });
  if (read.kind === 'invalid') throw new Error(read.reason);
  return { batchSize, law: read.law };
}

interface CurveSize {
  readonly cap: number;
  readonly fullMs: number;
  readonly cpuCores: number;
}

function tailedCurve(rng: Rng, tail: TailClass, { cap, fullMs, cpuCores }: CurveSize): ServiceCurve {
  const fixedShare = between(rng, 0, 0.9);
  const [least, most] = BOUNDS[tail];
  const ratio = between(rng, least, most);
  const unitMs = fullMs / (fixedShare + (1 - fixedShare) * cap);
  const points = [...new Set([1, cap])].map((k) => pointOf(k, unitMs * (fixedShare + (1 - fixedShare) * k), ratio));
  return serviceCurve(cpuCores, Math.min(1, cpuCores), points);
}

function tailStage(rng: Rng, tail: TailClass, shares: boolean): TailStage {
  const replicas = whole(rng, 1, MOST_REPLICAS);
  const maxBatchSize = Math.round(logBetween(rng, 1, LARGEST_CAP));
  const fullMs = shares ? logBetween(rng, SHORTEST_MS, 200) : logBetween(rng, 10, LONGEST_MS);
  const cpuCores = shares ? Math.round(20 * between(rng, 0.1, 0.95)) / 20 : 1;
  const curve = tailedCurve(rng, tail, { cap: maxBatchSize, fullMs, cpuCores });
  const loadFactor = between(rng, 0.2, 0.95);
  const groupSize = rng.next() < 0.5 ? 1 : logBetween(rng, 1, LARGEST_GROUP);
  const arrivalRps = (1000 * loadFactor * replicas * maxBatchSize * curve.shareFraction) / fullMs;
  return { tail, loadFactor, query: { curve, replicas, maxBatchSize, arrivalRps, groupSize, itemsPerRequest: 1 } };
}

/** `count` stages with the tail classes in turns, on whole cores or with CPU shares. */
export function tailStages(count: number, seed: number, shares: boolean): readonly TailStage[] {
  const rng = new SeededRng(seed);
  return Array.from({ length: count }, (_, i) => tailStage(rng, tailClasses[i % 3] as TailClass, shares));
}

/** Undefined if the stage's full batch would be too short or too long. */
function configuration(rng: Rng, tail: TailClass, arrivalRps: number): StageConfiguration | undefined {
  const replicas = whole(rng, 1, MOST_REPLICAS);
  const cap = Math.round(logBetween(rng, 1, LARGEST_CAP));
  const fullMs = (1000 * between(rng, 0.2, 0.95) * replicas * cap) / arrivalRps;
  if (fullMs < SHORTEST_MS || fullMs > LONGEST_MS) return undefined;
  return { curve: tailedCurve(rng, tail, { cap, fullMs, cpuCores: 1 }), replicas, maxBatchSize: cap };
}

function configured(rng: Rng, tail: TailClass, arrivalRps: number): StageConfiguration {
  for (;;) {
    const found = configuration(rng, tail, arrivalRps);
    if (found !== undefined) return found;
  }
}

function tailChain(rng: Rng, tail: TailClass): TailChain {
  const stageCount = whole(rng, 1, MOST_STAGES);
  const arrivalRps = logBetween(rng, 10, 400);
  const stages = new Map(
    Array.from({ length: stageCount }, (_, i) => [stageId(`s${i}`), configured(rng, tail, arrivalRps)] as const),
  );
  const loadFactor = Math.max(
    ...[...stages.values()].map(({ curve, replicas, maxBatchSize }) => {
      return (arrivalRps * curve.meanMs(maxBatchSize)) / (1000 * replicas * maxBatchSize);
    }),
  );
  return { tail, loadFactor, pipeline: { shape: 'chain', spec: chainSpec(stageCount), stages, arrivalRps } };
}

/** `count` chains with the tail classes in turns. */
export function tailChains(count: number, seed: number): readonly TailChain[] {
  const rng = new SeededRng(seed);
  return Array.from({ length: count }, (_, i) => tailChain(rng, tailClasses[i % 3] as TailClass));
}
