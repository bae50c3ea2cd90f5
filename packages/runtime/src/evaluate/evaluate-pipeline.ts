/**
 * Measures end-to-end accuracy with a bootstrap interval: runs labelled samples through the selected combinations of
 * variants. Samples run concurrently; this changes no answer.
 */
import { availableParallelism } from 'node:os';
import {
  AppError,
  type Clock,
  type MeasuredCombination,
  type PipelineSpec,
  type Rng,
  SeededRng,
  type TensorMap,
} from '@equipoise/core/model';
import type { ReplicaLauncher } from '@equipoise/core/ports';
import { ProgressMeter, type WorkProgress } from '../progress-meter.js';
import { type EvaluationModule, type LabelledSample, labelledSamples, scoreOf } from './evaluation-module.js';
import { SampleAnswers } from './sample-answers.js';
import { type VariantChoice, type VariantCombinations, variantCombinations } from './variant-combinations.js';

export interface EvaluationRequest {
  readonly spec: PipelineSpec;
  readonly launcher: ReplicaLauncher;
  readonly module: EvaluationModule;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly maxSamples?: number;
  /** Default 64. */
  readonly maxCombinations?: number;
  readonly seed?: number;
  /** Limit for the shared stage outputs of one sample; default 256 MiB. */
  readonly cacheBytes?: number;
  readonly onProgress?: (progress: WorkProgress) => void;
}

export interface Evaluation {
  readonly table: { readonly combinations: readonly Required<MeasuredCombination>[] };
  readonly leftOut?: NonNullable<VariantCombinations['leftOut']>;
}

const USUAL_COMBINATIONS = 64;
/** Estimated time (ms) of a sample, used until the first is done. */
const EXPECTED_SAMPLE_MS = 500;

/** Rejects with an AppError if a variant does not start, a sample fails or the module is invalid. */
export async function evaluatePipeline(request: EvaluationRequest): Promise<Evaluation> {
  const { spec, module, dataDir, maxSamples, maxCombinations = USUAL_COMBINATIONS, seed = 1 } = request;
  const { kept, leftOut } = variantCombinations(spec, maxCombinations);
  const samples = (await labelledSamples(module, dataDir)).slice(0, maxSamples);
  const responses = await answersToAll(request, samples, kept);
  const resamples = drawResamples(samples.length, new SeededRng(seed));
  const score = (answered: Parameters<EvaluationModule['score']>[0]) => scoreOf(module, answered);
  const combinations = kept.map((variants, index) => {
    const answered = samples.map(({ label }, number) => ({ outputs: responses[number]?.[index] ?? {}, label }));
    return {
      variants,
      accuracy: score(answered),
      confidence95: bootstrapInterval(answered, resamples, score),
      samples: samples.length,
      measured: true,
    };
  });
  return leftOut === undefined ? { table: { combinations } } : { table: { combinations }, leftOut };
}

/** Answers by sample, then by combination. */
async function answersToAll(
  request: EvaluationRequest,
  samples: readonly LabelledSample[],
  choices: readonly VariantChoice[],
): Promise<readonly (readonly TensorMap[])[]> {
  const { spec, launcher, clock, cacheBytes, onProgress } = request;
  const answers = new SampleAnswers(spec, launcher, cacheBytes);
  const progress = new ProgressMeter(clock, {
    totalUnits: samples.length,
    expectedUnitMs: EXPECTED_SAMPLE_MS,
    listener: onProgress ?? (() => {}),
  });
  try {
    progress.begin('starting the variants');
    await answers.start(choices);
    return await inTurn(samples, async ({ inputs }, number) => {
      const { responses } = await answers.answer(inputs, choices).catch((cause) => {
        throw sampleFailed(number, cause);
      });
      progress.finish(1, `${choices.length} combinations on ${samples.length} samples`);
      return responses;
    });
  } finally {
    await answers.close();
  }
}

/** Results in item order, from one worker per core. After a failure no new work starts. */
async function inTurn<Item, Result>(
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await work(items[index] as Item, index);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: availableParallelism() }, lane));
  const failed = lanes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results;
}

function sampleFailed(number: number, cause: unknown): unknown {
  if (!(cause instanceof AppError)) return cause;
  const details = { ...cause.details, sample: number };
  return new AppError(cause.code, `Sample ${number + 1}: ${cause.message}`, { details, cause });
}

const RESAMPLES = 200;
/** Number of resampled scores beyond each end of the interval. */
const BEYOND = 4;

export type Resamples = readonly Uint32Array[];

export function drawResamples(sampleCount: number, rng: Rng): Resamples {
  return Array.from({ length: RESAMPLES }, () =>
    Uint32Array.from({ length: sampleCount }, () => Math.floor(rng.next() * sampleCount)),
  );
}

/**
 * 95 % interval of `score` by the percentile bootstrap (Efron 1979): from the 5th smallest to the 5th largest of 200
 * resamples with replacement. Works for scores other than means, such as F1. Combinations share the resamples, so their
 * intervals are comparable.
 */
export function bootstrapInterval<Sample>(
  samples: readonly Sample[],
  resamples: Resamples,
  score: (samples: readonly Sample[]) => number,
): readonly [number, number] {
  const scores = resamples
    .map((numbers) => score(Array.from(numbers, (number) => samples[number] as Sample)))
    .sort((a, b) => a - b);
  return [scores[BEYOND] as number, scores[scores.length - 1 - BEYOND] as number];
}
