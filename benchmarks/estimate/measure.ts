/** Estimates of all samples against their references, and estimate times. */
import { estimatePipeline } from '../../packages/core/src/estimate/pipeline-latency.js';
import { stageLoads } from '../../packages/core/src/estimate/stage-load.js';
import { estimateStage, refineStage, type StageQuery } from '../../packages/core/src/estimate/stage-sojourn.js';
import { longestPathMs, sumOfTailsStageMs } from '../../packages/core/src/estimate/sum-of-tails.js';
import { type ErrorSummary, type EstimateError, errorSummary } from './error-summary.js';
import { exactBurstiness } from './exact-burstiness.js';
import type { References } from './kept-references.js';
import type { PipelineReference } from './pipeline-reference.js';
import { type RandomPipeline, randomPipelines } from './random-pipelines.js';
import { type RandomStage, randomShareStages, randomStages } from './random-stages.js';
import type { Reference } from './reference.js';

export interface Figures {
  readonly stages: Readonly<Record<'poisson' | 'gamma' | 'mmpp' | 'bursty', ErrorSummary>>;
  readonly microseconds: Readonly<Record<'poisson' | 'bursty', number>>;
  readonly shares: Readonly<Record<'refined' | 'bound', ErrorSummary>>;
  readonly shareMilliseconds: number;
  readonly pipelines: Readonly<Record<'all' | RandomPipeline['shape'] | 'sumOfTails' | 'sumOfStageP99s', ErrorSummary>>;
  readonly pipelineMilliseconds: number;
  readonly referencesBeyond2Percent: number;
  readonly worstReferenceHalfWidthPercent: number;
  readonly pipelineHalfWidthPercent: { readonly median: number; readonly worst: number };
}

const P99 = 0.99;
const TIMED_ROUNDS = 40;

function queryOf(stage: RandomStage): StageQuery {
  const { curve, replicas, maxBatchSize, arrivalRps, process, sloMs } = stage;
  const burstiness = exactBurstiness(process, arrivalRps, sloMs);
  return { curve, replicas, maxBatchSize, arrivalRps, groupSize: 1, burstiness };
}

function errorsOf(
  stages: readonly RandomStage[],
  references: readonly Reference[],
  estimate: typeof estimateStage,
): readonly EstimateError[] {
  return stages.map((stage, i) => ({
    error: estimate(queryOf(stage)).quantileMs(P99) / (references[i] as Reference).p99Ms - 1,
    loadFactor: stage.loadFactor,
  }));
}

/** Mean processor time of one estimate after a warm-up. Wall time would include other programs. */
function microsecondsEach(queries: readonly StageQuery[]): number {
  const round = (): number => queries.reduce((sum, query) => sum + estimateStage(query).quantileMs(P99), 0);
  for (let i = 0; i < TIMED_ROUNDS; i++) round();
  const before = process.cpuUsage();
  for (let i = 0; i < TIMED_ROUNDS; i++) round();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (TIMED_ROUNDS * queries.length);
}

function stageFigures({ samples, stages }: References): Pick<Figures, 'stages' | 'microseconds'> {
  const subjects = randomStages(samples.stages.count, samples.stages.seed);
  const errors = errorsOf(subjects, stages, estimateStage);
  const of = (kinds: readonly string[]): ErrorSummary =>
    errorSummary(errors.filter((_, i) => kinds.includes((subjects[i] as RandomStage).process.kind)));
  const queries = (bursty: boolean): readonly StageQuery[] =>
    subjects.filter((stage) => (stage.process.kind !== 'poisson') === bursty).map(queryOf);
  return {
    stages: { poisson: of(['poisson']), gamma: of(['gamma']), mmpp: of(['mmpp']), bursty: of(['gamma', 'mmpp']) },
    microseconds: { poisson: microsecondsEach(queries(false)), bursty: microsecondsEach(queries(true)) },
  };
}

function shareFigures({ samples, shares }: References): Pick<Figures, 'shares' | 'shareMilliseconds'> {
  const subjects = randomShareStages(samples.shares.count, samples.shares.seed);
  const startedAtMs = performance.now();
  const refined = errorsOf(subjects, shares, refineStage);
  const shareMilliseconds = (performance.now() - startedAtMs) / subjects.length;
  const bound = errorsOf(subjects, shares, estimateStage);
  return { shares: { refined: errorSummary(refined), bound: errorSummary(bound) }, shareMilliseconds };
}

function sumOfTailsMs({ spec, stages, arrivalRps }: RandomPipeline): number {
  const loads = stageLoads(spec, arrivalRps);
  const stageMs = [...stages].map(([id, { curve, maxBatchSize }]) => {
    return [id, sumOfTailsStageMs(curve, maxBatchSize, loads.get(id)?.arrivalRps ?? arrivalRps)] as const;
  });
  return longestPathMs(spec, new Map(stageMs));
}

function pipelineFigures({ samples, pipelines }: References): Pick<Figures, 'pipelines' | 'pipelineMilliseconds'> {
  const subjects = randomPipelines(samples.pipelines.count, samples.pipelines.seed);
  const startedAtMs = performance.now();
  const estimates = subjects.map((pipeline) => estimatePipeline(pipeline));
  const pipelineMilliseconds = (performance.now() - startedAtMs) / subjects.length;
  const summaryOf = (valuesMs: readonly number[], shape?: RandomPipeline['shape']): ErrorSummary => {
    const errors = valuesMs.map((ms, i) => ({
      error: ms / (pipelines[i] as PipelineReference).p99Ms - 1,
      loadFactor: 0,
    }));
    return errorSummary(errors.filter((_, i) => shape === undefined || subjects[i]?.shape === shape));
  };
  const p99s = estimates.map((estimate) => estimate.quantileMs(P99));
  const sums = subjects.map(({ spec }, i) => {
    const stages = [...(estimates[i]?.stages ?? [])].map(([id, stage]) => [id, stage.quantileMs(P99)] as const);
    return longestPathMs(spec, new Map(stages));
  });
  return {
    pipelines: {
      all: summaryOf(p99s),
      chain: summaryOf(p99s, 'chain'),
      'fan-out': summaryOf(p99s, 'fan-out'),
      fork: summaryOf(p99s, 'fork'),
      sumOfStageP99s: summaryOf(sums),
      sumOfTails: summaryOf(subjects.map(sumOfTailsMs)),
    },
    pipelineMilliseconds,
  };
}

/** In percent with one decimal. */
const percentOf = (fraction: number): number => Math.round(1000 * fraction) / 10;

function halfWidths(references: readonly PipelineReference[]): Figures['pipelineHalfWidthPercent'] {
  const percents = references.map(({ halfWidthFraction }) => percentOf(halfWidthFraction)).sort((a, b) => a - b);
  return { median: percents[Math.floor(percents.length / 2)] ?? 0, worst: percents.at(-1) ?? 0 };
}

export function measure(references: References): Figures {
  const all = [...references.stages, ...references.shares];
  return {
    ...stageFigures(references),
    ...shareFigures(references),
    ...pipelineFigures(references),
    pipelineHalfWidthPercent: halfWidths(references.pipelines),
    referencesBeyond2Percent: all.filter(({ halfWidthFraction }) => halfWidthFraction > 0.02).length,
    worstReferenceHalfWidthPercent: percentOf(Math.max(...all.map(({ halfWidthFraction }) => halfWidthFraction))),
  };
}
