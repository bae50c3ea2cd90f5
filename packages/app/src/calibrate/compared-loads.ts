/** Served figures of checked loads next to estimate and simulation, from the profile alone and with the correction. */
import {
  type EdgeCount,
  medianOf,
  NO_PREDICTION,
  type PipelineSpec,
  type Plan,
  type ProfileSet,
  SeededRng,
} from '@equipoise/core/model';
import { estimateStages, type fitCorrections, requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import { MeasuredPaths, simulatePlan } from '@equipoise/core/simulate';
import { arrivalsIn, countedSpan, type Segment, servedTimeline } from './segment.js';
import { type EndedRequest, figuresOf, medianFigures, type ServiceFiguresUnderLoad } from './served-figures.js';

export type VariantCorrection = ReturnType<typeof fitCorrections>[number];

/** `load`: fraction of the saturation throughput, or the search for it. */
export interface MeasuredPoint {
  readonly load: number | 'saturation';
  readonly segments: readonly Segment[];
}

/** Null where the estimate has none: above the estimated capacity. */
export interface EstimatedFigures {
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly capacityRps: number;
}

export interface ComparedLoad {
  readonly load: MeasuredPoint['load'];
  readonly arrivalRps: number;
  readonly requests: number;
  readonly served: ServiceFiguresUnderLoad;
  /** Largest distance of a segment's served figure from the median of the segments, as a fraction. */
  readonly noise: { readonly p50Fraction: number; readonly p99Fraction: number };
  /** Distance of one half of the segments from the other half; null if one half has no requests. */
  readonly halves: { readonly p50Fraction: number; readonly p99Fraction: number } | null;
  readonly simulated: ServiceFiguresUnderLoad;
  readonly simulatedFromProfile: ServiceFiguresUnderLoad;
  readonly estimated: EstimatedFigures;
  readonly estimatedFromProfile: EstimatedFigures;
}

export interface ComparisonInput {
  /** With the measured fan-outs and branches. */
  readonly spec: PipelineSpec;
  readonly plan: Pick<Plan, 'stages'>;
  readonly profiles: ProfileSet;
  readonly hostCores: number;
  readonly corrections: readonly VariantCorrection[];
  readonly points: readonly MeasuredPoint[];
  /** Time (ms) of each request that the load generator takes on the core of the server's thread. */
  readonly clientMs: number;
  readonly inputs: MeasuredInputs;
}

/** Counts of the request of each input, by edge. Without any, the paths of requests are drawn. */
export type MeasuredInputs = readonly (readonly EdgeCount[])[];

const SEEDS = 15;

export const FROM_PROFILE: readonly VariantCorrection[] = [];

export const correctedCurvesOf = (
  { spec, profiles }: Pick<ComparisonInput, 'spec' | 'profiles'>,
  corrections: readonly VariantCorrection[],
): ServiceCurves => requireCurves(spec, withCorrections(profiles, corrections));

export function comparedLoads(input: ComparisonInput): readonly ComparedLoad[] {
  const fromProfile = correctedCurvesOf(input, FROM_PROFILE);
  const corrected = correctedCurvesOf(input, input.corrections);
  const simulated = (curves: ServiceCurves, segments: readonly Segment[]) =>
    simulatedFigures({ ...input, curves, policyCurves: fromProfile }, segments);
  return input.points.map(({ load, segments }) => {
    const arrivalRps = medianOf(segments.map((segment) => segment.arrivalRps));
    const bySegment = segments.map((segment) => figuresOf([servedTimeline(segment)]));
    return {
      load,
      arrivalRps,
      requests: segments.reduce((sum, { requests }) => sum + requests, 0),
      served: figuresOf(segments.map(servedTimeline)),
      noise: {
        p50Fraction: rangeFraction(bySegment.map(({ p50Ms }) => p50Ms)),
        p99Fraction: rangeFraction(bySegment.map(({ p99Ms }) => p99Ms)),
      },
      halves: halvesOf(segments),
      simulated: simulated(corrected, segments),
      simulatedFromProfile: simulated(fromProfile, segments),
      estimated: estimatedFigures(input, corrected, arrivalRps),
      estimatedFromProfile: estimatedFigures(input, fromProfile, arrivalRps),
    };
  });
}

/** Segments by turns, in the order A B B A …, so that both halves have as many of each order of loads. */
function halvesOf(segments: readonly Segment[]): ComparedLoad['halves'] {
  const half = (isFirst: boolean) =>
    figuresOf(segments.filter((_, i) => (i % 4 === 0 || i % 4 === 3) === isFirst).map(servedTimeline));
  const [one, other] = [half(true), half(false)];
  const off = (field: 'p50Ms' | 'p99Ms') => Math.abs(one[field] / other[field] - 1);
  const halves = { p50Fraction: off('p50Ms'), p99Fraction: off('p99Ms') };
  return Number.isFinite(halves.p99Fraction) ? halves : null;
}

/** Profiles with these corrections and no others. Variants with inline profiles get one, too. */
function withCorrections(profiles: ProfileSet, corrections: readonly VariantCorrection[]): ProfileSet {
  return profiles.map(({ correction: _, ...profile }) => {
    const found = corrections.find((of) => of.stageId === profile.stageId && of.variantId === profile.variantId);
    return found === undefined ? profile : { ...profile, correction: found.correction };
  });
}

function rangeFraction(values: readonly number[]): number {
  const middle = medianOf(values);
  return Math.max(...values.map((value) => Math.abs(value / middle - 1)));
}

interface SimulationBy extends Omit<ComparisonInput, 'points'> {
  readonly curves: ServiceCurves;
  readonly policyCurves: ServiceCurves;
}

/** The recorded arrivals with their inputs, simulated with several seeds, `fromSeed` the first: the median of each figure. */
export function simulatedFigures(
  by: SimulationBy,
  segments: readonly Segment[],
  seeds = SEEDS,
  fromSeed = 0,
): ServiceFiguresUnderLoad {
  return medianFigures(
    Array.from({ length: seeds }, (_, seed) =>
      figuresOf(
        segments.map((segment, index) => ({
          ends: simulatedEnds(by, arrivalsIn(segment), 1000 * (fromSeed + seed) + index + 1),
          ...countedSpan(segment),
        })),
      ),
    ),
  );
}

function simulatedEnds(by: SimulationBy, arrivedAtMs: readonly number[], seed: number): readonly EndedRequest[] {
  const { spec, plan, curves, policyCurves, hostCores, clientMs, inputs } = by;
  const ends: EndedRequest[] = [];
  let next = 0;
  simulatePlan({
    spec,
    curves,
    policyCurves,
    plan: { stages: plan.stages, predicted: NO_PREDICTION },
    arrivals: { nextAtMs: () => arrivedAtMs[next++] },
    clientMs,
    paths: inputs.length === 0 ? undefined : new MeasuredPaths(spec, inputs),
    rng: new SeededRng(seed),
    hostCores,
    drops: true,
    onEnd: (end) => ends.push(end),
  });
  return ends;
}

function estimatedFigures(
  { spec, plan }: ComparisonInput,
  curves: ServiceCurves,
  arrivalRps: number,
): EstimatedFigures {
  const at = (percentile: number) =>
    estimateStages({ spec: { ...spec, slo: { ...spec.slo, percentile } }, curves }, plan.stages, arrivalRps);
  const finite = (ms: number) => (Number.isFinite(ms) ? ms : null);
  const [half, tail] = [at(50), at(99)];
  return { p50Ms: finite(half.latencyMs), p99Ms: finite(tail.latencyMs), capacityRps: half.capacityRps };
}
