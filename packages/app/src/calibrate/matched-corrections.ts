/**
 * Last step of a calibration: the calibrating segments are simulated, too. Two factors, one on the work of the server's
 * thread and one on the times of replicas, bring the simulation closer to what was served there. A prior keeps both near
 * 1 where the segments do not tell. A figure of few requests says little: its weight follows from how much it varies between
 * seeds of the simulation.
 */
import {
  type ComparisonInput,
  correctedCurvesOf,
  FROM_PROFILE,
  simulatedFigures,
  type VariantCorrection,
} from './compared-loads.js';
import { type Segment, servedTimeline } from './segment.js';
import { figuresOf, type ServiceFiguresUnderLoad } from './served-figures.js';

interface Factors {
  readonly thread: number;
  readonly replicas: number;
}

/** Standard deviations of the figures of a right model with endless requests: of logarithms, and of a dropped fraction. */
const MODEL_SD: Figures = { p50: 0.05, completed: 0.02, dropped: 0.02 };
/** Of the logarithms of the factors. Busy times of the thread and times of batches were measured directly, so both are near 1. */
const PRIOR = { thread: 0.3, replicas: 0.1 } as const;
const STEPS = [1.4, 1.2, 1.1, 1.05, 1.02] as const;
/** Seeds of each compared simulation, and further ones that tell how much the figures vary. */
const SEEDS = 3;
const NOISE_SEEDS = 8;
/** Degrees of freedom of the errors (Student's t), so that one disturbed segment decides little. */
const FREEDOM = 4;

/** Logarithms of a median latency (ms) and of a throughput (rps), and the fraction dropped, of a group of segments. */
type Figures = Readonly<Record<'p50' | 'completed' | 'dropped', number>>;

/** Latencies decide below saturation, throughput and drops above. */
const DECIDING = { below: ['p50'], above: ['completed', 'dropped'] } as const;

interface Group {
  readonly segments: readonly Segment[];
  readonly deciding: readonly (keyof Figures)[];
  readonly served: Figures;
  /** Variance of the difference between a served figure and that of a right model. */
  readonly variance: Figures;
}

export type MatchInput = Omit<ComparisonInput, 'points'> & { readonly segments: readonly Segment[] };

/** Nothing changes for corrections without the work of the thread. */
export function matchedCorrections(input: MatchInput): readonly VariantCorrection[] {
  const { corrections } = input;
  if (!corrections.some(({ correction }) => correction.thread !== undefined)) return corrections;
  const groups = groupsOf(input);
  const lossOf = (factors: Factors) => loss(input, groups, factors);
  let best: Factors = { thread: 1, replicas: 1 };
  let least = lossOf(best);
  for (const step of STEPS) {
    for (let improves = true; improves; ) {
      improves = false;
      for (const next of neighbours(best, step)) {
        const nextLoss = lossOf(next);
        if (nextLoss >= least) continue;
        [best, least, improves] = [next, nextLoss, true];
      }
    }
  }
  return scaled(corrections, best);
}

const neighbours = ({ thread, replicas }: Factors, step: number): readonly Factors[] => [
  { thread: thread * step, replicas },
  { thread: thread / step, replicas },
  { thread, replicas: replicas * step },
  { thread, replicas: replicas / step },
];

/** Segments at one rate, in all rounds. */
function groupsOf(input: MatchInput): readonly Group[] {
  const byRate = new Map<string, Segment[]>();
  for (const segment of input.segments) {
    const key = `${segment.rushing > 0} ${segment.arrivalRps}`;
    byRate.set(key, [...(byRate.get(key) ?? []), segment]);
  }
  const by = simulationBy(input, { thread: 1, replicas: 1 });
  return [...byRate.values()].map((segments) => {
    const of = Array.from({ length: NOISE_SEEDS }, (_, index) =>
      comparable(simulatedFigures(by, segments, 1, SEEDS + index)),
    );
    const varianceOf = (key: keyof Figures) =>
      MODEL_SD[key] ** 2 + (1 + 1 / SEEDS) * variance(of.map((one) => one[key]));
    return {
      segments,
      deciding: (segments[0] as Segment).rushing > 0 ? DECIDING.above : DECIDING.below,
      served: comparable(figuresOf(segments.map(servedTimeline))),
      variance: { p50: varianceOf('p50'), completed: varianceOf('completed'), dropped: varianceOf('dropped') },
    };
  });
}

const comparable = ({ p50Ms, completedRps, droppedFraction }: ServiceFiguresUnderLoad): Figures => ({
  p50: Math.log(p50Ms),
  completed: Math.log(completedRps),
  dropped: droppedFraction,
});

function variance(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

function simulationBy(input: MatchInput, factors: Factors) {
  const corrections = scaled(input.corrections, factors);
  const curves = correctedCurvesOf(input, corrections);
  return { ...input, corrections, curves, policyCurves: correctedCurvesOf(input, FROM_PROFILE) };
}

/** −2 ln of the posterior, up to a constant. */
function loss(input: MatchInput, groups: readonly Group[], factors: Factors): number {
  const by = simulationBy(input, factors);
  let sum = (Math.log(factors.thread) / PRIOR.thread) ** 2 + (Math.log(factors.replicas) / PRIOR.replicas) ** 2;
  for (const { segments, deciding, served, variance: of } of groups) {
    const simulated = comparable(simulatedFigures(by, segments, SEEDS));
    for (const key of deciding) {
      const squared = (simulated[key] - served[key]) ** 2 / of[key];
      sum += (FREEDOM + 1) * Math.log1p(squared / FREEDOM);
    }
  }
  return Number.isNaN(sum) ? Number.POSITIVE_INFINITY : sum;
}

function scaled(corrections: readonly VariantCorrection[], { thread: of, replicas }: Factors): typeof corrections {
  const times = ({ value, halfWidth }: { readonly value: number; readonly halfWidth: number }) => ({
    value: of * value,
    halfWidth: of * halfWidth,
  });
  return corrections.map((one) => {
    const { thread, spread } = one.correction;
    if (thread === undefined) return one;
    const scaledThread = {
      ...thread,
      arrivalMs: times(thread.arrivalMs),
      answerMs: times(thread.answerMs),
      refusalMs: times(thread.refusalMs),
      hopMs: times(thread.hopMs),
      itemMs: times(thread.itemMs),
    };
    const scaledSpread = spread.map((factors) => factors.map((factor) => replicas * factor));
    return { ...one, correction: { ...one.correction, spread: scaledSpread, thread: scaledThread } };
  });
}
