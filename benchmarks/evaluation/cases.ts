/**
 * Pipelines with the outcome of every combination on every sample. shelf-scan and digits: recorded from real models.
 * three-stages: drawn from a stated model. Their profiles are inline: shelf-scan as in its README, the others stated.
 */
import { readFileSync } from 'node:fs';
import { type Rng, SeededRng } from '../../packages/core/src/kernel/rng.js';
import { stageId, type VariantId, variantId } from '../../packages/core/src/model/ids.js';
import type { PipelineSpec, StageSpec } from '../../packages/core/src/model/pipeline-spec.js';

export interface EvaluationCase {
  readonly name: string;
  readonly source: string;
  readonly spec: PipelineSpec;
  /** Combinations, the last stage varying fastest: positions of variants by stage. */
  readonly choices: readonly (readonly number[])[];
  readonly sampleCount: number;
  score(combination: number, samples: readonly number[]): number;
  /** Items that a stage runs for a sample; `choice` counts up to this stage. */
  items(stage: number, choice: readonly number[], sample: number): number;
  /** Rates at which the plans are compared. */
  readonly ratesRps: readonly number[];
}

type Variants = Readonly<Record<string, number>>;

/** Variants by name, with the mean ms of a batch of one on one core. Batches save nothing. */
const stageOf = (name: string, variants: Variants): StageSpec => ({
  id: stageId(name),
  kind: 'model',
  variants: Object.entries(variants).map(([variant, ms]) => ({
    id: variantId(variant),
    accuracy: { value: 0.5, metric: 'accuracy' },
    cpuCores: [1],
    memoryBytes: 0,
    gpus: 0,
    profile: [1, 2, 4].map((batchSize) => ({
      cpuCores: 1,
      batchSize,
      meanMs: ms * batchSize,
      p99Ms: 1.3 * ms * batchSize,
    })),
    parameters: {},
  })),
  bounds: { minReplicas: 1, maxReplicas: 64, maxBatchWaitMs: 0 },
  pins: {},
});

function specOf(name: string, stages: readonly StageSpec[], cpuCores: number, fanOut?: number): PipelineSpec {
  const ids = stages.map(({ id }) => id);
  return {
    name,
    baseDir: '.',
    slo: { latencyMs: 800, percentile: 99 },
    budget: { cpuCores },
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'input', to: ids.slice(0, 1), tensors: [] }],
    stages,
    edges: ids.slice(1).map((to, i) => ({
      from: ids[i] as (typeof ids)[number],
      to,
      ...(fanOut !== undefined && i === 0 && { fanOut: { expected: fanOut } }),
      ...(fanOut !== undefined && i === 1 && { join: 'all' as const }),
    })),
    outputs: ids.slice(-1).map((from) => ({ from })),
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0, canary: false },
    admission: { maxQueueLength: 1000 },
  };
}

const product = (stages: readonly StageSpec[]): readonly (readonly number[])[] =>
  stages.reduce<number[][]>((all, { variants }) => all.flatMap((each) => variants.map((_, v) => [...each, v])), [[]]);

export const variantsOf = (spec: PipelineSpec, choice: readonly number[]): Record<string, VariantId> =>
  Object.fromEntries(spec.stages.map(({ id, variants }, s) => [id, variants[choice[s] as number]?.id as VariantId]));

const recorded = (name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
const digits = (text: string): readonly number[] => Array.from(text, Number);
const meanOf = (of: readonly number[], samples: readonly number[]): number =>
  samples.reduce((sum, sample) => sum + (of[sample] as number), 0) / samples.length;

export function shelfScan(): EvaluationCase {
  const table = recorded('shelf-scan.json') as {
    present: string;
    combinations: { variants: Record<string, string>; right: string; given: string }[];
  };
  const stages = [
    stageOf('detect', { xs: 1.1, s: 1.4, m: 3.6, l: 26.6 }),
    stageOf('classify', { xs: 0.02, s: 0.13, m: 0.65, l: 10 }),
    stageOf('count', { tally: 0.05 }),
  ];
  const choices = product(stages);
  const spec = specOf('shelf-scan', stages, 4, 3);
  const outcomes = choices.map((choice) => {
    const variants = variantsOf(spec, choice);
    const row = table.combinations.find((each) =>
      ['detect', 'classify'].every((stage) => each.variants[stage] === variants[stage]),
    );
    return { right: digits(row?.right ?? ''), given: digits(row?.given ?? '') };
  });
  const present = digits(table.present);
  return {
    name: 'shelf-scan',
    source: 'real models, recorded; F1 over 200 scenes',
    spec,
    choices,
    sampleCount: present.length,
    score: (combination, samples) => {
      const { right, given } = outcomes[combination] as (typeof outcomes)[number];
      const all = meanOf(given, samples) + meanOf(present, samples);
      return all === 0 ? 1 : (2 * meanOf(right, samples)) / all;
    },
    // The stage `decode` is the first run of the stage `detect` here: it never differs.
    items: (stage, choice, sample) => {
      const c = choices.findIndex((each) => each[0] === choice[0]);
      return stage === 1 ? (outcomes[c]?.given[sample] ?? 0) : 1;
    },
    ratesRps: [100, 150, 200],
  };
}

export function noisyDigits(): EvaluationCase {
  const table = recorded('digits.json') as { combinations: { variants: Record<string, string>; right: string }[] };
  const stages = [
    stageOf('restore', { none: 0.1, median: 0.5, wiener: 0.9, subspace: 2 }),
    stageOf('classify', { centroid: 1, bayes: 1.5, logistic: 1.2, forest: 50, svm: 4 }),
  ];
  const outcomes = table.combinations.map(({ right }) => digits(right));
  return {
    name: 'digits',
    source: 'real models, recorded; accuracy on 800 images',
    spec: specOf('digits', stages, 4),
    choices: product(stages),
    sampleCount: outcomes[0]?.length ?? 0,
    score: (combination, samples) => meanOf(outcomes[combination] ?? [], samples),
    items: () => 1,
    ratesRps: [300, 400, 600],
  };
}

/**
 * 100 combinations, 500 samples. A sample is right with probability logistic(2 · skills − 3 · difficulty + luck of the
 * variants on this sample); the last stage forgives a part of the errors of the first. Combinations share the draw of a
 * sample, so their outcomes correlate.
 */
export function threeStages(): EvaluationCase {
  const rng = new SeededRng(20);
  const ms = (rank: number): number => Math.round(10 * 1.9 ** rank) / 10;
  const named = (names: number): Variants =>
    Object.fromEntries(Array.from({ length: names }, (_, v) => [`v${v}`, ms(v)]));
  const stages = [stageOf('find', named(5)), stageOf('clean', named(4)), stageOf('read', named(5))];
  const choices = product(stages);
  const sampleCount = 500;
  const skill = stages.map(({ variants }, s) =>
    variants.map((_, v) => 0.9 * Math.sqrt(v) + 0.25 * gauss(rng) * (s === 1 ? 2 : 1)),
  );
  const luck = stages.map(({ variants }) =>
    variants.map(() => Array.from({ length: sampleCount }, () => 0.6 * gauss(rng))),
  );
  const outcomes = choices.map(() => new Array<number>(sampleCount));
  for (let sample = 0; sample < sampleCount; sample++) {
    const difficulty = 1.5 * gauss(rng);
    const draw = rng.next();
    for (const [c, choice] of choices.entries()) {
      const of = (table: readonly (readonly number[])[]) => choice.map((v, s) => table[s]?.[v] as number);
      const [find = 0, clean = 0, read = 0] = of(skill);
      const lucky = choice.reduce((sum, v, s) => sum + (luck[s]?.[v]?.[sample] as number), 0);
      const logit = 0.3 + find + 0.6 * clean + read - 0.15 * find * read - difficulty + lucky;
      (outcomes[c] as number[])[sample] = draw < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    }
  }
  return {
    name: 'three-stages',
    source: 'synthetic, model in cases.ts; accuracy on 500 samples',
    spec: specOf('three-stages', stages, 4),
    choices,
    sampleCount,
    score: (combination, samples) => meanOf(outcomes[combination] ?? [], samples),
    items: () => 1,
    ratesRps: [150, 200, 300],
  };
}

function gauss(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next());
}
