/**
 * Last step of a calibration: the calibrating segments are simulated, too. Two factors, one on the work of the server's
 * thread and one on the times of replicas, bring the simulation closer to what was served there. A prior keeps both near
 * 1 where the segments do not tell.
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

/** Standard deviations: of a median latency (ln), of a throughput (ln) and of a dropped fraction that are right. */
const LATENCY_SD = 0.05;
const THROUGHPUT_SD = 0.02;
const DROPS_SD = 0.02;
/** Of the logarithms of the factors. */
const PRIOR = { thread: 0.5, replicas: 0.2 } as const;
const STEPS = [1.4, 1.2, 1.1, 1.05, 1.02] as const;
const SEEDS = 2;

interface Group {
  readonly segments: readonly Segment[];
  readonly isOverload: boolean;
  readonly served: ServiceFiguresUnderLoad;
}

export type MatchInput = Omit<ComparisonInput, 'points'> & { readonly segments: readonly Segment[] };

/** Nothing changes for corrections without the work of the thread. */
export function matchedCorrections(input: MatchInput): readonly VariantCorrection[] {
  const { corrections } = input;
  if (!corrections.some(({ correction }) => correction.thread !== undefined)) return corrections;
  const groups = groupsOf(input.segments);
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
function groupsOf(segments: readonly Segment[]): readonly Group[] {
  const byRate = new Map<string, Segment[]>();
  for (const segment of segments) {
    const key = `${segment.rushing > 0} ${segment.arrivalRps}`;
    byRate.set(key, [...(byRate.get(key) ?? []), segment]);
  }
  return [...byRate.values()].map((of) => ({
    segments: of,
    isOverload: (of[0] as Segment).rushing > 0,
    served: figuresOf(of.map(servedTimeline)),
  }));
}

function loss(input: MatchInput, groups: readonly Group[], factors: Factors): number {
  const corrections = scaled(input.corrections, factors);
  const curves = correctedCurvesOf(input, corrections);
  const by = { ...input, corrections, curves, policyCurves: correctedCurvesOf(input, FROM_PROFILE) };
  let sum = (Math.log(factors.thread) / PRIOR.thread) ** 2 + (Math.log(factors.replicas) / PRIOR.replicas) ** 2;
  for (const { segments, isOverload, served } of groups) {
    const simulated = simulatedFigures(by, segments, SEEDS);
    if (isOverload) {
      sum += (Math.log(simulated.completedRps / served.completedRps) / THROUGHPUT_SD) ** 2;
      sum += ((simulated.droppedFraction - served.droppedFraction) / DROPS_SD) ** 2;
    } else sum += (Math.log(simulated.p50Ms / served.p50Ms) / LATENCY_SD) ** 2;
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
      arrivalMs: times(thread.arrivalMs),
      answerMs: times(thread.answerMs),
      refusalMs: times(thread.refusalMs),
      hopMs: times(thread.hopMs),
      itemMs: times(thread.itemMs),
      spread: thread.spread,
    };
    const scaledSpread = spread.map((factors) => factors.map((factor) => replicas * factor));
    return { ...one, correction: { ...one.correction, spread: scaledSpread, thread: scaledThread } };
  });
}
