/**
 * Measures the end-to-end accuracy of a pipeline for combinations of its variants: every labelled sample through every combination, one
 * score for each, with a bootstrap interval. Several samples are under way at once, so that stages of different samples use all cores; the
 * answers do not depend on it.
 */

import { availableParallelism } from 'node:os';
import {
  AppError,
  type Clock,
  type MeasuredCombination,
  type PipelineSpec,
  SeededRng,
  type TensorMap,
} from '@equipoise/core/model';
import type { ReplicaLauncher } from '@equipoise/core/ports';
import { servingGraph } from '@equipoise/core/serve';
import { ProgressMeter, type WorkProgress } from '../progress-meter.js';
import { bootstrapInterval, drawResamples } from './bootstrap.js';
import { type EvaluationModule, type LabelledSample, labelledSamples, scoreOf } from './evaluation-module.js';
import { SampleAnswers } from './sample-answers.js';
import { type VariantChoice, type VariantCombinations, variantCombinations } from './variant-combinations.js';
import { VariantRunners } from './variant-runners.js';

/** What to evaluate and with what; everything after `clock` may be left out. */
export interface EvaluationRequest {
  readonly spec: PipelineSpec;
  readonly launcher: ReplicaLauncher;
  /** The loaded evaluation module of the pipeline. */
  readonly module: EvaluationModule;
  readonly dataDir: string;
  readonly clock: Clock;
  /** Only the first so many samples. */
  readonly maxSamples?: number;
  /** 64 unless given. */
  readonly maxCombinations?: number;
  /** Seed of the resamples. */
  readonly seed?: number;
  readonly onProgress?: (progress: WorkProgress) => void;
}

/** The measured table, as a pipeline file takes it in, and what was not measured. */
export interface Evaluation {
  readonly table: { readonly combinations: readonly Required<MeasuredCombination>[] };
  readonly leftOut?: NonNullable<VariantCombinations['leftOut']>;
}

const USUAL_COMBINATIONS = 64;
/** What a sample is expected to take before the first is done. */
const EXPECTED_SAMPLE_MS = 500;

/** Evaluates; rejects with AppError when a variant does not start, a sample fails or the module is at fault. */
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

/** By sample, then by combination. */
async function answersToAll(
  request: EvaluationRequest,
  samples: readonly LabelledSample[],
  choices: readonly VariantChoice[],
): Promise<readonly (readonly TensorMap[])[]> {
  const { spec, launcher, clock, onProgress } = request;
  const runners = new VariantRunners(spec, launcher);
  const progress = new ProgressMeter(clock, {
    totalUnits: samples.length,
    expectedUnitMs: EXPECTED_SAMPLE_MS,
    listener: onProgress ?? (() => {}),
  });
  try {
    progress.begin('starting the variants');
    await startVariants(runners, spec, choices);
    const answers = new SampleAnswers(spec, servingGraph(spec), (...work) => runners.run(...work));
    return await inTurn(samples, async ({ inputs }, number) => {
      const responses = await answers.answer(inputs, choices).catch((cause) => {
        throw sampleFailed(number, cause);
      });
      progress.finish(1, `${choices.length} combinations on ${samples.length} samples`);
      return responses;
    });
  } finally {
    await runners.close();
  }
}

async function startVariants(
  runners: VariantRunners,
  spec: PipelineSpec,
  choices: readonly VariantChoice[],
): Promise<void> {
  for (const stage of spec.stages) {
    const chosen = new Set(choices.map((choice) => choice[stage.id]));
    for (const variant of stage.variants) if (chosen.has(variant.id)) await runners.start(stage, variant);
  }
}

/** Results in the order of `items`, as many at work at once as there are cores; after a failure nothing new is begun. */
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
