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
  type StageId,
  type StageSpec,
  type TensorMap,
  type VariantId,
  type VariantSpec,
} from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { type ServingGraph, servingGraph } from '@equipoise/core/serve';
import { copyTensors, responseTensors } from '../data-plane/payload-algebra.js';
import { flowCores, stagesBefore } from '../profiling/flow.js';
import { SampleWalk } from '../profiling/sample-walk.js';
import { ProgressMeter, type WorkProgress } from '../progress-meter.js';
import { type EvaluationModule, type LabelledSample, labelledSamples, scoreOf } from './evaluation-module.js';
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

export type RunStage = (
  stage: StageSpec,
  variant: VariantSpec,
  inputs: readonly TensorMap[],
) => Promise<readonly TensorMap[]>;

export /**
 * Answers of many combinations to one sample. Combinations with equal variants of a stage and of all stages before it
 * share that stage's work.
 */
class SampleAnswers {
  readonly #spec: PipelineSpec;
  readonly #graph: ServingGraph;
  readonly #run: RunStage;
  /** By stage: the stage and all stages before it. */
  readonly #dependsOn: readonly (readonly StageId[])[];

  constructor(spec: PipelineSpec, graph: ServingGraph, run: RunStage) {
    this.#spec = spec;
    this.#graph = graph;
    this.#run = run;
    this.#dependsOn = spec.stages.map(({ id }, index) => [
      ...stagesBefore(graph, index).map((before) => (spec.stages[before] as StageSpec).id),
      id,
    ]);
  }

  async answer(inputs: TensorMap, choices: readonly VariantChoice[]): Promise<readonly TensorMap[]> {
    const shared = new Map<string, readonly TensorMap[]>();
    const responses: TensorMap[] = [];
    for (const choice of choices) responses.push(await this.#walk(inputs, choice, shared));
    return responses;
  }

  async #walk(inputs: TensorMap, choice: VariantChoice, shared: Map<string, readonly TensorMap[]>): Promise<TensorMap> {
    const walk = new SampleWalk(this.#graph, [inputs]);
    for (const index of this.#graph.topologicalOrder) {
      const stage = this.#spec.stages[index] as StageSpec;
      const key = JSON.stringify([index, this.#dependsOn[index]?.map((id) => choice[id])]);
      const outputs =
        shared.get(key) ?? (await this.#run(stage, variantOf(stage, choice[stage.id]), walk.inputsOf(index)));
      shared.set(key, outputs);
      walk.leave(index, outputs);
    }
    return responseTensors(this.#spec.outputs, walk.responses()[0] ?? []);
  }
}

const variantOf = ({ variants }: StageSpec, id: VariantId | undefined): VariantSpec =>
  variants.find((variant) => variant.id === id) as VariantSpec;

interface Runner {
  readonly runner: ModelRunner;
  /** Resolves when all items so far are done. */
  idle: Promise<unknown>;
}

/** One replica per evaluated variant. Close the runners at the end. */
export class VariantRunners {
  readonly #spec: PipelineSpec;
  readonly #launcher: ReplicaLauncher;
  readonly #runners = new Map<VariantSpec, Runner>();

  constructor(spec: PipelineSpec, launcher: ReplicaLauncher) {
    this.#spec = spec;
    this.#launcher = launcher;
  }

  async start(stage: StageSpec, variant: VariantSpec): Promise<void> {
    const resources = { cpuCores: flowCores(variant), memoryBytes: variant.memoryBytes, gpus: variant.gpus };
    const { runner } = await this.#launcher.launch({ stage, variant, resources, baseDir: this.#spec.baseDir });
    this.#runners.set(variant, { runner, idle: Promise.resolve() });
  }

  /** Runs items one by one, because batching may change the last digits. Rejects if an item fails. */
  async run(stage: StageSpec, variant: VariantSpec, inputs: readonly TensorMap[]): Promise<readonly TensorMap[]> {
    const outputs: TensorMap[] = [];
    for (const input of inputs) outputs.push(await this.#runOne(stage, variant, input));
    return outputs;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#runners.values()].map(({ runner }) => runner.close()));
  }

  async #runOne(stage: StageSpec, variant: VariantSpec, input: TensorMap): Promise<TensorMap> {
    const replica = this.#runners.get(variant) as Runner;
    const done = replica.idle.then(() => replica.runner.run([copyTensors(input)]));
    replica.idle = done.catch(() => undefined);
    const [result] = (await done).items;
    if (result?.kind === 'ok') return result.output;
    const message = `Stage ${stage.id}, variant ${variant.id} failed: ${result?.error.message ?? 'it returned no result'}`;
    throw new AppError(result?.error.code ?? 'STAGE_FAILED', message, { cause: result?.error });
  }
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
