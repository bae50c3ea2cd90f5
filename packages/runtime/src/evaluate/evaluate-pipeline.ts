/**
 * Measures end-to-end accuracy with an interval: runs labelled samples through combinations of variants, all of them or
 * a race of them. Samples run concurrently; this changes no answer.
 */
import { availableParallelism } from 'node:os';
import {
  type AccuracyTable,
  AppError,
  type Clock,
  type EdgeSpec,
  type MeasuredAgreement,
  measurementCause,
  type PipelineSpec,
  type ProfileSet,
  quorumOfChoice,
  type StageId,
  thresholdOfChoice,
  variantOfChoice,
} from '@equipoise/core/model';
import { CombinationRace, combinationCosts, interactionModel, pipelineAccuracy } from '@equipoise/core/plan';
import type { ReplicaLauncher } from '@equipoise/core/ports';
import type { LocateFile } from '../profiling/profile-identity.js';
import { ProgressMeter, type WorkProgress } from '../progress-meter.js';
import {
  type AnsweredSample,
  type EvaluationModule,
  type LabelledSample,
  labelledSamples,
  noFraction,
  rawScore,
  scoreOf,
} from './evaluation-module.js';
import { type AnswersFile, KeptAnswers } from './kept-answers.js';
import { SampleAnswers, type SampleResult } from './sample-answers.js';
import { ShadowAgreements } from './shadow-agreement.js';
import { type MeasuredShare, ShareCounts } from './share-counts.js';
import { type VariantChoice, type VariantCombinations, variantCombinations } from './variant-combinations.js';

export interface EvaluationRequest {
  readonly spec: PipelineSpec;
  readonly launcher: ReplicaLauncher;
  readonly module: EvaluationModule;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly maxSamples?: number;
  /** Default 64, with `search` 1024. */
  readonly maxCombinations?: number;
  /** Times of the members of quorums. Without them, a quorum takes the first members in file order. */
  readonly profiles?: ProfileSet;
  /** Without it, all samples run through all combinations. */
  readonly search?: EvaluationSearch;
  readonly seed?: number;
  /** Limit for the shared stage outputs of one sample; default 256 MiB. */
  readonly cacheBytes?: number;
  /** Answers of an earlier evaluation; new ones are added. The caller closes the file. */
  readonly kept?: { readonly file: AnswersFile; readonly locate: LocateFile };
  readonly onProgress?: (progress: WorkProgress) => void;
}

/** Stops combinations that no plan would choose, or whose order to all others is certain. */
export interface EvaluationSearch {
  readonly profiles: ProfileSet;
  /** Arrival rates for which plans will be made; default all. */
  readonly rates?: { readonly leastRps: number; readonly mostRps: number };
  /** Probability with which the order of two combinations has to be certain; default 0.98. */
  readonly confidence?: number;
  /** Number of items that stages run. The search ends with the sample that reaches it; default unlimited. */
  readonly budgetRuns?: number;
}

type Combination = Required<AccuracyTable['combinations'][number]> & {
  readonly verdict?: 'kept' | 'dropped' | 'undecided';
  /** Combination that costs no more and is more accurate. */
  readonly droppedFor?: VariantChoice;
};

/** Accuracy that the interaction model gives. */
interface ComputedCombination {
  readonly variants: VariantChoice;
  readonly accuracy: number;
  readonly confidence95: readonly [number, number];
  readonly measured: false;
}

/** Empty if the product of the accuracies of stages is closer to the measured accuracies. */
type ComputedAccuracies = Pick<AccuracyTable, 'modelError' | 'productError'> & {
  readonly combinations: readonly ComputedCombination[];
};

export interface Evaluation {
  /** Shares are absent without `when` edges and fan-outs. */
  readonly table: {
    readonly combinations: readonly Combination[];
    readonly shares?: readonly MeasuredShare[];
    /** Absent without shadows. */
    readonly agreements?: readonly MeasuredAgreement[];
  };
  /** About combinations that were not measured; absent if there are none. */
  readonly computed?: ComputedAccuracies;
  /** Number of items that stages ran. */
  readonly stageRuns: number;
  readonly leftOut?: NonNullable<VariantCombinations['leftOut']>;
}

const USUAL_COMBINATIONS = 64;
const MOST_SEARCHED = 1024;
const MOST_COMPUTED = 4096;
const USUAL_CONFIDENCE = 0.98;
/** Estimated time (ms) of a sample, used until the first is done. */
const EXPECTED_SAMPLE_MS = 500;

/** Rejects with an AppError if a variant does not start, a sample fails or the module is invalid. */
export async function evaluatePipeline(request: EvaluationRequest): Promise<Evaluation> {
  const { spec, module, dataDir, maxSamples, search, seed = 1 } = request;
  const { maxCombinations = search === undefined ? USUAL_COMBINATIONS : MOST_SEARCHED } = request;
  const every = variantCombinations(spec, maxCombinations);
  const { choices, costs, leftOut } = competitors(every, spec, search);
  const samples = (await labelledSamples(module, dataDir)).slice(0, maxSamples);
  const answers = choices.map(() => new Array<AnsweredSample>(samples.length));
  const race = new CombinationRace({
    sampleCount: samples.length,
    costs,
    confidence: search && (search.confidence ?? USUAL_CONFIDENCE),
    objective: spec.objective,
    seed,
    scoreOf: (c, numbers) => scoreOfNumbers(module, numbers, answers[c] as readonly AnsweredSample[]),
  });
  const counts = new ShareCounts(spec);
  const shadows = new ShadowAgreements(spec.stages);
  const stageRuns = await runRace(request, { race, samples, choices, answers, counts, shadows });
  const combinations = race.results().map(({ verdict, droppedFor, ...measured }, c): Combination => {
    if (Number.isNaN(measured.accuracy)) throw undefinedScore(spec, measured.samples);
    const better = droppedFor === undefined ? undefined : choices[droppedFor];
    return {
      variants: choices[c] as VariantChoice,
      ...measured,
      measured: true,
      ...(search !== undefined && { verdict }),
      ...(better !== undefined && { droppedFor: better }),
    };
  });
  const computed = every.omitted.length > 0 && { computed: computedAccuracies(spec, combinations, every.omitted) };
  const shares = counts.all();
  const agreements = shadows.all();
  return {
    table: { combinations, ...(shares.length > 0 && { shares }), ...(agreements.length > 0 && { agreements }) },
    stageRuns,
    ...(leftOut !== undefined && { leftOut }),
    ...computed,
  };
}

/** None are computed if the product is closer to the measured accuracies, or if they are too many for a table. */
function computedAccuracies(
  spec: PipelineSpec,
  measured: readonly Combination[],
  omitted: readonly VariantChoice[],
): ComputedAccuracies {
  const { stages, combines = [], edges } = spec;
  const positionsOf = (choice: VariantChoice) =>
    stages.map(({ id, variants }) => {
      const chosen = choice[id];
      return variants.findIndex((variant) => variant.id === (chosen && variantOfChoice(chosen)));
    });
  const stageAt = (id: StageId) => stages.findIndex((stage) => stage.id === id);
  const adjacent = [...edges, ...combines.flatMap(({ id }) => memberPairs(edges, id))]
    .map(({ from, to }) => [stageAt(from), stageAt(to)] as const)
    .filter((pair) => !pair.includes(-1));
  // Accuracies at other thresholds and quorums are measured on the same answers, so they say little about other variants.
  const models = new Map(
    [...new Set(measured.map(({ variants }) => settingsKey(variants)))].map((key) => {
      const own = measured.filter(({ variants }) => settingsKey(variants) === key);
      const positions = own.map(({ variants, ...rest }) => ({ ...rest, variants: positionsOf(variants) }));
      return [key, interactionModel({ measured: positions, adjacent })];
    }),
  );
  const modelError = rootMeanSquare(
    [...models.values()].flatMap((model) => (model === undefined ? [] : [model.crossValidatedError])),
  );
  const productError = measurementCause(spec) === undefined ? errorOfProduct(spec, measured) : undefined;
  const isComputed = omitted.length <= MOST_COMPUTED && (modelError ?? 1) <= (productError ?? 1);
  const combinations = omitted.flatMap((variants): ComputedCombination[] => {
    const model = models.get(settingsKey(variants));
    const predicted = isComputed ? model?.predict(positionsOf(variants)) : undefined;
    return predicted === undefined ? [] : [{ variants, ...predicted, measured: false }];
  });
  return {
    combinations,
    ...(modelError !== undefined && { modelError }),
    ...(productError !== undefined && { productError }),
  };
}

/** Equal for combinations with equal thresholds and quorums. */
const settingsKey = (choice: VariantChoice): string =>
  JSON.stringify(Object.values(choice).map((chosen) => [thresholdOfChoice(chosen), quorumOfChoice(chosen)]));

function errorOfProduct({ accuracyTable: _, ...spec }: PipelineSpec, measured: readonly Combination[]) {
  return rootMeanSquare(measured.map(({ variants, accuracy }) => pipelineAccuracy(spec, variants).pas - accuracy));
}

/** Undefined without values. */
function rootMeanSquare(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
}

/** Pairs of members of a combine stage, and of members and the stages behind it. */
function memberPairs(edges: PipelineSpec['edges'], combine: StageId): readonly Pick<EdgeSpec, 'from' | 'to'>[] {
  const members = edges.flatMap(({ from, to }) => (to === combine ? [from] : []));
  const behind = edges.flatMap(({ from, to }) => (from === combine ? [to] : []));
  return members.flatMap((from, i) => [...members.slice(i + 1), ...behind].map((to) => ({ from, to })));
}

interface Competitors {
  readonly choices: readonly VariantChoice[];
  readonly costs: readonly (readonly number[])[];
  readonly leftOut: VariantCombinations['leftOut'];
}

/** Combinations that a plan could contain, with their costs. */
function competitors(
  { kept, leftOut }: VariantCombinations,
  spec: PipelineSpec,
  search: EvaluationSearch | undefined,
): Competitors {
  if (search === undefined) return { choices: kept, costs: kept.map(() => []), leftOut };
  const costOf = combinationCosts(spec, search.profiles, kept, search.rates);
  const choices = kept.filter((_, c) => costOf[c] !== undefined);
  const costs = costOf.filter((cost) => cost !== undefined);
  if (choices.length === 0)
    throw new AppError('WRONG_USAGE', 'No combination can serve these arrival rates within budget and SLO.');
  const impossible = kept.length - choices.length;
  if (impossible === 0) return { choices, costs, leftOut };
  const reason = `${impossible} cannot serve the arrival rates within budget and SLO`;
  const combinations = impossible + (leftOut?.combinations ?? 0);
  return {
    choices,
    costs,
    leftOut: { combinations, reason: leftOut === undefined ? reason : `${leftOut.reason}; ${reason}` },
  };
}

interface RaceRun {
  readonly race: CombinationRace;
  readonly samples: readonly LabelledSample[];
  readonly choices: readonly VariantChoice[];
  /** By combination, then by sample; filled by the run. */
  readonly answers: readonly AnsweredSample[][];
  readonly counts: ShareCounts;
  readonly shadows: ShadowAgreements;
}

/** Runs the blocks of the race and returns the number of stage runs. */
async function runRace(request: EvaluationRequest, run: RaceRun): Promise<number> {
  const { race, samples, choices, answers, counts, shadows } = run;
  const { spec, module, launcher, clock, cacheBytes, profiles, search, kept, onProgress } = request;
  const budgetRuns = search?.budgetRuns ?? Number.POSITIVE_INFINITY;
  const runner = new SampleAnswers(spec, launcher, { cacheBytes, profiles });
  const keeper = kept && new KeptAnswers(spec, { runner, ...kept });
  const progress = new ProgressMeter(clock, {
    totalUnits: samples.length,
    expectedUnitMs: EXPECTED_SAMPLE_MS,
    listener: onProgress ?? (() => {}),
  });
  let [stageRuns, samplesDone, sampleUnits] = [0, 0, 1];
  try {
    progress.begin('starting the variants');
    await runner.start(choices);
    for (let block = race.next(); block !== undefined && stageRuns < budgetRuns; block = race.next()) {
      const { combinations, samples: numbers } = block;
      const running = combinations.map((c) => choices[c] as VariantChoice);
      // Combinations that stopped do not run later samples.
      progress.leaveOut((sampleUnits - running.length / choices.length) * (samples.length - samplesDone));
      sampleUnits = running.length / choices.length;
      const results = await inTurn(numbers, budgetRuns - stageRuns, async (number) => {
        const { inputs, label } = samples[number] as LabelledSample;
        const answered = keeper?.answer(number, inputs, running) ?? runner.answer(inputs, running);
        const result = await answered.catch((cause) => {
          throw sampleFailed(number, cause);
        });
        // A score that reads a tensor that is not there fails before the other samples run.
        if (samplesDone === 0 && number === numbers[0])
          for (const { outputs } of result.answers) scoreAlone(module, number, { outputs, label });
        progress.finish(sampleUnits, `${running.length} combinations on ${samples.length} samples`);
        return result;
      });
      results.forEach(({ answers: given, stageRuns: runs }, position) => {
        const number = numbers[position] as number;
        const { label } = samples[number] as LabelledSample;
        stageRuns += runs;
        counts.add(
          running,
          given.map(({ edges }) => edges),
        );
        for (const { compared = [] } of given) shadows.add(compared);
        given.forEach(({ outputs }, index) => {
          (answers[combinations[index] as number] as AnsweredSample[])[number] = { outputs, label };
        });
      });
      if (samplesDone === 0 && results.length < numbers.length)
        throw budgetTooSmall(budgetRuns, Math.ceil((stageRuns / results.length) * numbers.length));
      race.finish(block, results.length);
      samplesDone += results.length;
    }
  } finally {
    await runner.close();
  }
  return stageRuns;
}

const budgetTooSmall = (budgetRuns: number, needed: number): AppError =>
  new AppError(
    'WRONG_USAGE',
    `A budget of ${budgetRuns} stage runs is too small for a first comparison of all combinations, which takes about ${needed}.`,
    { details: { budgetRuns, needed } },
  );

/**
 * Results in item order, from one worker per core, up to the item that exhausts the budget. Later items that already
 * run are discarded, so the number of workers changes nothing. After a failure no new work starts.
 */
async function inTurn(
  items: readonly number[],
  budgetRuns: number,
  work: (item: number) => Promise<SampleResult>,
): Promise<readonly SampleResult[]> {
  const results: SampleResult[] = [];
  let [next, inOrder, runs] = [0, 0, 0];
  const lane = async (): Promise<void> => {
    while (next < items.length && runs < budgetRuns) {
      const index = next++;
      try {
        results[index] = await work(items[index] as number);
      } catch (error) {
        next = items.length;
        throw error;
      }
      for (; runs < budgetRuns && results[inOrder] !== undefined; inOrder++) runs += results[inOrder]?.stageRuns ?? 0;
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: availableParallelism() }, lane));
  const failed = lanes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results.slice(0, inOrder);
}

/** Names the first sample whose answer alone cannot be scored. */
function scoreOfNumbers(
  module: EvaluationModule,
  numbers: readonly number[],
  answered: readonly AnsweredSample[],
): number {
  const samples = numbers.map((number) => answered[number] as AnsweredSample);
  try {
    return scoreOf(module, samples);
  } catch (cause) {
    for (const [index, sample] of samples.entries()) scoreAlone(module, numbers[index] as number, sample);
    throw cause;
  }
}

function scoreAlone(module: EvaluationModule, number: number, sample: AnsweredSample): void {
  try {
    rawScore(module, [sample]);
  } catch (cause) {
    throw sampleFailed(number, cause);
  }
}

function undefinedScore({ evaluation }: PipelineSpec, samples: number): AppError {
  if (evaluation?.metric === undefined) return noFraction(`NaN on all ${samples} samples`);
  const message = `The metric ${evaluation.metric.kind} is undefined on all ${samples} samples. Correct the labels, or the options of the metric.`;
  return new AppError('INVALID_PIPELINE', message, { details: { path: 'spec.evaluation.metric' } });
}

function sampleFailed(number: number, cause: unknown): unknown {
  if (!(cause instanceof AppError)) return cause;
  const details = { ...cause.details, sample: number };
  return new AppError(cause.code, `Sample ${number + 1}: ${cause.message}`, { details, cause });
}
