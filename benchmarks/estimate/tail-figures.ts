/** Errors of the estimate in the heavy-tailed cases, over the percentiles 90, 95, 99 and 99.9. */
import { estimatePipeline } from '../../packages/core/src/estimate/pipeline-latency.js';
import { estimateStage, refineStage } from '../../packages/core/src/estimate/stage-sojourn.js';
import { type ErrorSummary, type EstimateError, errorSummary } from './error-summary.js';
import { type TailClass, type TailStage, tailChains, tailClasses, tailStages } from './heavy-tails.js';
import { type TailReference, type TailReferences, tailFractions } from './tail-references.js';

type ByTail = Readonly<Record<TailClass, ErrorSummary>>;

export interface TailFigures {
  readonly stages: ByTail;
  readonly shares: ByTail;
  readonly chains: ByTail;
  /** Median half-width (percent) of the 95 % interval of the simulated p99 and p99.9. */
  readonly halfWidthPercents: readonly number[];
}

interface Measured {
  readonly tail: TailClass;
  readonly errors: readonly EstimateError[];
}

function errorsOf(
  quantileMs: (fraction: number) => number,
  { timesMs }: TailReference,
  loadFactor: number,
): readonly EstimateError[] {
  return tailFractions.map((fraction, i) => ({ error: quantileMs(fraction) / (timesMs[i] as number) - 1, loadFactor }));
}

function byTail(measured: readonly Measured[]): ByTail {
  const summaryOf = (tail: TailClass): ErrorSummary =>
    errorSummary(measured.flatMap((of) => (of.tail === tail ? of.errors : [])));
  return Object.fromEntries(tailClasses.map((tail) => [tail, summaryOf(tail)])) as ByTail;
}

function stageErrors(
  stages: readonly TailStage[],
  references: readonly TailReference[],
  estimate: typeof estimateStage,
): readonly Measured[] {
  return stages.map(({ tail, loadFactor, query }, i) => {
    const { quantileMs } = bound(estimate(query));
    return { tail, errors: errorsOf(quantileMs, references[i] as TailReference, loadFactor) };
  });
}

const bound = (estimate: { quantileMs(fraction: number): number }) => ({
  quantileMs: (fraction: number): number => estimate.quantileMs(fraction),
});

function medianPercent(fractions: readonly number[]): number {
  const sorted = [...fractions].sort((a, b) => a - b);
  return Math.round(1000 * (sorted[Math.floor(sorted.length / 2)] ?? 0)) / 10;
}

export function measureTails({ samples, stages, shares, chains }: TailReferences): TailFigures {
  const drawn = tailChains(samples.chains.count, samples.chains.seed);
  const chainErrors = drawn.map(({ tail, loadFactor, pipeline }, i) => {
    const { quantileMs } = bound(estimatePipeline(pipeline));
    return { tail, errors: errorsOf(quantileMs, chains[i] as TailReference, loadFactor) };
  });
  const all = [...stages, ...shares, ...chains];
  return {
    stages: byTail(stageErrors(tailStages(samples.stages.count, samples.stages.seed, false), stages, estimateStage)),
    shares: byTail(stageErrors(tailStages(samples.shares.count, samples.shares.seed, true), shares, refineStage)),
    chains: byTail(chainErrors),
    halfWidthPercents: [0, 1].map((at) => medianPercent(all.map((of) => of.halfWidthFractions[at] as number))),
  };
}
