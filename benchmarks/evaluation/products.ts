/**
 * `npm run bench:products [-- PIPELINE.yaml [RPS]]`: plans by measured accuracy against plans by the product of the
 * stage accuracies, at every budget. Half of the labelled samples choose the plans, the other half scores them. Needs a
 * profile (`equipoise profile`). Writes products-NAME.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { importModule } from '@equipoise/adapter-embedded';
import { AppError, type PipelineSpec, type StageId } from '@equipoise/core/model';
import { interactionModel, pipelineAccuracy } from '@equipoise/core/plan';
import { AnswersFile, type EvaluationModule, evaluationModule, labelledFiles, metricScore } from '@equipoise/runtime';
import { stageRules } from '../../packages/app/src/compose/artifacts.js';
import { embeddedLauncher } from '../../packages/app/src/compose/embedded-launcher.js';
import { loadSpec } from '../../packages/app/src/compose/load-spec.js';
import { profilesFor } from '../../packages/app/src/compose/profiles-for.js';
import { bootstrapScores, drawResamples, intervalOf } from '../../packages/core/src/evaluate/bootstrap.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { optimize } from '../../packages/core/src/optimize/optimize.js';
import { type AnsweredSample, labelledSamples } from '../../packages/runtime/src/evaluate/evaluation-module.js';
import { KeptAnswers } from '../../packages/runtime/src/evaluate/kept-answers.js';
import { SampleAnswers } from '../../packages/runtime/src/evaluate/sample-answers.js';
import { variantCombinations } from '../../packages/runtime/src/evaluate/variant-combinations.js';

const SEED = 1;
const MOST_COMBINATIONS = 256;
const STEP_CORES = 0.25;
const MOST_CORES = 64;
const Z_95 = 1.96;

const [file = 'examples/shelf-scan/pipeline.yaml', rate = '20'] = process.argv.slice(2);
const arrivalRps = Number(rate);
const { accuracyTable: _, ...spec } = await loadSpec(file);
const module = await evaluationOf(spec);
const choices = variantCombinations(spec, MOST_COMBINATIONS).kept;
const answers = await answersOf(spec, module);

const rng = new SeededRng(SEED);
const shuffled = answers.map((_, sample) => ({ sample, key: rng.next() })).sort((a, b) => a.key - b.key);
const numbers = shuffled.map(({ sample }) => sample);
const known = numbers.slice(0, Math.ceil(numbers.length / 2));
const heldOut = numbers.slice(known.length);
const resamples = drawResamples(heldOut, rng.fork('resamples'));
const scoreOf = (combination: number) => (samples: readonly number[]) =>
  module.score(samples.map((sample) => answers[sample]?.[combination] as AnsweredSample));
const held = choices.map((_, c) => bootstrapScores(heldOut, resamples, scoreOf(c)));
const table = {
  combinations: choices.map((variants, c) => ({ variants, accuracy: scoreOf(c)(known) })),
};
const profiles = profilesFor(spec, file);

/** Combination of the best plan with this many cores; undefined if there is no plan. */
function planned(of: PipelineSpec, cpuCores: number): number | undefined {
  const budget = { ...of.budget, cpuCores };
  const objective = { kind: 'max-accuracy' } as const;
  const result = optimize({ spec: { ...of, budget, objective }, profiles, arrivalRps, estimator: 'distribution' });
  if (result.kind !== 'feasible') return undefined;
  const { stages } = result.plan;
  return choices.findIndex((choice) =>
    Object.entries(choice).every(([id, variant]) => stages[id as StageId]?.[0]?.variantId === variant),
  );
}

interface Row {
  readonly from: number;
  to: number;
  readonly measured: number;
  readonly product: number;
}

/** Plans by budget; equal neighbours are one row. Ends at the budget that allows everything. */
function rowsOfBudgets(): readonly Row[] {
  const rows: Row[] = [];
  const tabled = { ...spec, accuracyTable: table };
  const last = [planned(tabled, MOST_CORES), planned(spec, MOST_CORES)];
  for (let cores = STEP_CORES; cores <= MOST_CORES; cores += STEP_CORES) {
    const [measured, product] = [planned(tabled, cores), planned(spec, cores)];
    if (measured === undefined || product === undefined) continue;
    const before = rows.at(-1);
    if (before?.measured === measured && before.product === product) before.to = cores;
    else rows.push({ from: cores, to: cores, measured, product });
    if (measured === last[0] && product === last[1]) break;
  }
  return rows;
}

const fixed = (value: number): string => value.toFixed(3);
const severalOf = spec.stages.filter(({ variants }) => variants.length > 1).map(({ id }) => id);
const nameOf = (combination: number): string => severalOf.map((id) => `${id} ${choices[combination]?.[id]}`).join(', ');

function heldOutText(combination: number): string {
  const scores = held[combination] as (typeof held)[number];
  const interval = intervalOf(scores, { samples: heldOut.length, z: Z_95, unseenFraction: 1 });
  return `${fixed(scores.score)} (${interval.map(fixed).join('–')})`;
}

/** 95 % interval of the paired difference: percentiles of the resamples. */
function gainText({ measured, product }: Row): string {
  const [a, b] = [measured, product].map((c) => held[c] as (typeof held)[number]) as [
    (typeof held)[number],
    (typeof held)[number],
  ];
  const gains = a.resampled.map((score, index) => score - (b.resampled[index] as number)).sort((x, y) => x - y);
  const at = (fraction: number) => fixed(gains[Math.round(fraction * (gains.length - 1))] as number);
  return `${fixed(a.score - b.score)} (${at(0.025)} to ${at(0.975)})`;
}

const rows = rowsOfBudgets();
const differing = rows.filter(({ measured, product }) => measured !== product);
const errors = choices.map((choice, c) => pipelineAccuracy(spec, choice).pas - (held[c]?.score ?? 0));
const rms = rmsOf(errors);
const largest = errors.reduce((most, error) => Math.max(most, Math.abs(error)), 0);
const noise = rmsOf(table.combinations.map(({ accuracy }, c) => accuracy - (held[c]?.score ?? 0)));
const stageAt = (id: StageId): number => spec.stages.findIndex((stage) => stage.id === id);
const model = interactionModel({
  measured: table.combinations.map(({ variants, accuracy }) => ({
    variants: spec.stages.map((stage) => stage.variants.findIndex(({ id }) => id === variants[stage.id])),
    accuracy,
    samples: known.length,
  })),
  adjacent: spec.edges.map(({ from, to }) => [stageAt(from), stageAt(to)] as const),
});
const rangeText = ({ from, to }: Row): string => (from === to ? `${from}` : `${from}–${to}`);
const lines = differing.map(
  (row) =>
    `| ${rangeText(row)} | ${nameOf(row.measured)} | ${heldOutText(row.measured)} | ${nameOf(row.product)} | ${heldOutText(row.product)} | ${gainText(row)} |`,
);
const shown =
  differing.length === 0
    ? 'The plans never differ.'
    : `| cores | plan by measured accuracy | held out | plan by products | held out | difference |
|---|---|---|---|---|---|
${lines.join('\n')}`;
const page = `# Measured accuracies against products: ${spec.name}

${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}. \`npm run bench:products -- ${file} ${rate}\`. Seed ${SEED}.

${choices.length} combinations on ${numbers.length} labelled samples. ${known.length} samples choose the plans by measured accuracy; products use the accuracies of
stages in the pipeline file. The other ${heldOut.length} samples score the plans, with 95 % bootstrap intervals. Plans at ${rate} rps, at every budget in steps of ${STEP_CORES}
cores, from the least that has a plan (${rows[0]?.from ?? 'none'}) to the one that allows everything (${rows.at(-1)?.to ?? 'none'}). The table has the budgets at which the plans
differ; "difference" is paired.

${shown}

The products miss the held-out accuracies by ${fixed(rms)} (root mean square), at most ${fixed(largest)}. Measured accuracies of the other half miss them by ${fixed(noise)}.
The interaction model, which computes each measured accuracy from the others, misses it by ${fixed(model?.crossValidatedError ?? 0)}.
`;
writeFileSync(new URL(`products-${spec.name}.md`, import.meta.url), page);
process.stdout.write(page);

function rmsOf(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
}

async function evaluationOf({ evaluation, baseDir }: PipelineSpec): Promise<EvaluationModule> {
  if (evaluation === undefined) throw new AppError('INVALID_PIPELINE', `${file} has no evaluation.`);
  const { module: path, metric } = evaluation;
  const loadSamples = (folder: string) => labelledFiles(spec, folder);
  return evaluationModule(
    path === undefined ? { loadSamples } : await importModule(path, baseDir),
    metric && metricScore(metric),
  );
}

/** Answers by sample, then by combination. They are kept, so a second run takes seconds. */
async function answersOf(of: PipelineSpec, { loadSamples }: EvaluationModule): Promise<AnsweredSample[][]> {
  const folder = join(of.baseDir, '.equipoise');
  mkdirSync(folder, { recursive: true });
  const kept = new AnswersFile(join(folder, 'products.answers'));
  const runner = new SampleAnswers(of, embeddedLauncher(of));
  const keeper = new KeptAnswers(of, { runner, file: kept, locate: stageRules.locate });
  const samples = await labelledSamples(
    { loadSamples, score: () => 0 },
    resolve(of.baseDir, of.evaluation?.dataPath ?? ''),
  );
  try {
    await runner.start(choices);
    const answered: AnsweredSample[][] = [];
    for (const [number, { inputs, label }] of samples.entries()) {
      const { answers } = await keeper.answer(number, inputs, choices);
      answered.push(answers.map(({ outputs }) => ({ outputs, label })));
      process.stderr.write(`\rsample ${number + 1} of ${samples.length}`);
    }
    process.stderr.write('\n');
    return answered;
  } finally {
    await runner.close();
    kept.close({ remove: false });
  }
}
