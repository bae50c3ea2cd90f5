/** `equipoise evaluate`: measures end-to-end accuracy of variant combinations on labelled samples. */

import { Console } from 'node:console';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { importModule } from '@equipoise/adapter-embedded';
import { servingGraph } from '@equipoise/core/graph';
import { AppError, type PipelineSpec, type ProfileSet, variantBehind } from '@equipoise/core/model';
import { curvesOf } from '@equipoise/core/plan';
import {
  AnswersFile,
  type Evaluation,
  type EvaluationModule,
  type EvaluationRequest,
  type EvaluationSearch,
  evaluatePipeline,
  evaluationModule,
  hasEarlyJoins,
  labelledFiles,
  metricScore,
} from '@equipoise/runtime';
import { cachedProfile, ProfileCache } from '@equipoise/runtime/profiles';
import pc from 'picocolors';
import { requireArtifacts, stageRules } from '../compose/artifacts.js';
import { embeddedLauncher } from '../compose/embedded-launcher.js';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { chosenStages, evaluationPage } from '../report/evaluation-page.js';
import { outputFile } from '../report/output-file.js';
import { htmlPage } from '../report/page/html-page.js';
import { warn } from '../terminal/log.js';
import { fractionText } from '../terminal/plan-table.js';
import { progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { textTable } from '../terminal/text-table.js';

interface EvaluateOptions {
  readonly data?: string;
  readonly out?: string;
  readonly report?: string;
  readonly samples?: number;
  readonly budget?: number;
  readonly confidence?: number;
  readonly arrivalRps?: EvaluationSearch['rates'];
}

/**
 * Writes the table to `out`, in the form of `accuracyTable`. The answers are kept next to it until every combination is
 * decided, so that a later run resumes an interrupted evaluation or a search that ran out of budget.
 */
export async function evaluate(file: string, options: EvaluateOptions): Promise<CommandResult> {
  // The evaluation module must not write to stdout.
  globalThis.console = new Console(process.stderr);
  const spec = await loadSpec(file);
  const { out, samples } = options;
  const search = searchOf(spec, file, options);
  const imported = await importEvaluation(spec, { ...options, file });
  const output = out === undefined ? undefined : await outputFile(out);
  const report = options.report === undefined ? undefined : await outputFile(options.report);
  const answers = out === undefined ? undefined : new AnswersFile(resolve(`${out}.answers`));
  let isDone = false;
  try {
    const evaluation = await measure(spec, imported, {
      ...(samples !== undefined && { maxSamples: samples }),
      ...(answers !== undefined && { kept: { file: answers, locate: stageRules.locate } }),
      profiles: memberProfiles(spec, file),
      ...search,
    });
    const { stageRuns, leftOut, computed } = evaluation;
    const table = {
      ...evaluation.table,
      ...computed,
      combinations: [...evaluation.table.combinations, ...(computed?.combinations ?? [])],
    };
    await output?.write(table);
    await report?.writeText(htmlPage(evaluationPage(spec, evaluation)));
    isDone = evaluation.table.combinations.every(({ verdict }) => verdict !== 'undecided');
    const json = { ...table, stageRuns, ...(leftOut !== undefined && { leftOut }) };
    const text = [evaluationText(spec, evaluation)];
    if (answers !== undefined && !isDone)
      text.push(pc.dim(`${answers.path} keeps the answers; a larger --budget resumes`));
    return { json, text: text.join('\n') };
  } finally {
    answers?.close({ remove: isDone });
  }
}

/** Any flag of a search selects it. */
function searchOf(
  spec: PipelineSpec,
  file: string,
  { budget, confidence, arrivalRps }: EvaluateOptions,
): { readonly search?: EvaluationSearch } {
  if (budget === undefined && confidence === undefined && arrivalRps === undefined) return {};
  return {
    search: {
      profiles: profilesFor(spec, file),
      ...(budget !== undefined && { budgetRuns: budget }),
      ...(confidence !== undefined && { confidence }),
      ...(arrivalRps !== undefined && { rates: arrivalRps }),
    },
  };
}

/** Profiles that tell which members of a quorum are the fastest. Warns if they are needed but not there. */
function memberProfiles(spec: PipelineSpec, file: string): ProfileSet {
  if (!hasEarlyJoins(servingGraph(spec))) return [];
  const { variants } = cachedProfile(spec, ProfileCache.of(spec), { rules: stageRules }).profile;
  if (curvesOf(spec, variants).kind === 'invalid')
    warn(
      `without a profile, a quorum takes its first members in file order, but a server takes the fastest; run \`equipoise profile ${file}\` first`,
    );
  return variants;
}

async function measure(
  spec: PipelineSpec,
  { module, dataDir }: ImportedEvaluation,
  how: Pick<EvaluationRequest, 'kept' | 'maxSamples' | 'profiles' | 'search'>,
): Promise<Evaluation> {
  await requireArtifacts(spec);
  const display = progressDisplay('evaluating');
  try {
    return await evaluatePipeline({
      spec,
      launcher: embeddedLauncher(spec),
      module,
      dataDir,
      clock: { nowMs: () => performance.now() },
      ...how,
      onProgress: (progress) => display.show(progress),
    });
  } finally {
    display.stop();
  }
}

/** Combinations, best first, then samples, and skipped combinations with reasons. */
function evaluationText(spec: PipelineSpec, { table, stageRuns, leftOut, computed }: Evaluation): string {
  const shown = chosenStages(spec);
  const nameOf = (variants: (typeof table.combinations)[number]['variants']) => shown.map((id) => variants[id] ?? '');
  const isSearch = table.combinations.some(({ verdict }) => verdict !== undefined);
  const rows = table.combinations
    .toSorted((a, b) => b.accuracy - a.accuracy)
    .map(({ variants, accuracy, confidence95: [low, high], samples, verdict, droppedFor }) => [
      ...nameOf(variants),
      fractionText(accuracy),
      `${fractionText(low)} to ${fractionText(high)}`,
      ...(isSearch
        ? [String(samples), droppedFor ? `dropped for ${nameOf(droppedFor).join(', ')}` : (verdict ?? '')]
        : []),
    ]);
  const samples = Math.max(...table.combinations.map((combination) => combination.samples));
  const shares = (table.shares ?? []).map(({ from, variant, upstream, to, probability, expected, outputs }) => {
    const taken = probability === undefined ? [] : [`taken by ${fractionText(probability)}`];
    const items = expected === undefined ? [] : [`${Number(expected.toFixed(2))} items`];
    return `${from} (${variantBehind(variant, upstream)}) → ${to}: ${[...taken, ...items].join(', ')} of ${outputs} outputs`;
  });
  const agreements = (table.agreements ?? []).map(
    ({ stage, variant, shadow, agreement, confidence95: [low, high], items }) =>
      `${stage} (${variant}) agrees with its shadow ${shadow} on ${fractionText(agreement)} (${fractionText(low)} to ${fractionText(high)}) of ${items} items`,
  );
  const notes = [
    ...shares,
    ...agreements,
    `${samples} ${samples === 1 ? 'sample' : 'samples'}, ${stageRuns} stage runs`,
    ...(leftOut === undefined ? [] : [leftOut.reason]),
    ...(computed === undefined ? [] : [computedText(computed)]),
  ];
  const searched = isSearch ? [{ right: 'samples' }, 'verdict'] : [];
  return [
    textTable([...shown, { right: 'accuracy' }, { right: '95 % interval' }, ...searched], rows),
    ...notes.map((note) => pc.dim(note)),
  ].join('\n');
}

function computedText({ combinations, modelError, productError }: NonNullable<Evaluation['computed']>): string {
  const errors = [
    ...(modelError === undefined ? [] : [`${fractionText(modelError)} if computed from the others`]),
    ...(productError === undefined ? [] : [`${fractionText(productError)} for the product of the stage accuracies`]),
  ];
  const others =
    combinations.length === 0 ? 'accuracies of the others are products' : `${combinations.length} accuracies computed`;
  return [others, ...(errors.length === 0 ? [] : [`error of measured ones: ${errors.join(', ')}`])].join('; ');
}

interface ImportedEvaluation {
  readonly module: EvaluationModule;
  readonly dataDir: string;
}

/** Evaluation of the file; `data` overrides its data folder. The error names the field or path to correct. */
async function importEvaluation(
  spec: PipelineSpec,
  { file, data, samples }: Pick<EvaluateOptions, 'data' | 'samples'> & { readonly file: string },
): Promise<ImportedEvaluation> {
  const { evaluation } = spec;
  if (evaluation === undefined) {
    const message = `${file} does not say how to evaluate it. Add the field spec.evaluation, such as evaluation: { metric: accuracy, data: ./data }.`;
    throw new AppError('INVALID_PIPELINE', message, { details: { path: 'spec.evaluation' } });
  }
  const synthetic = spec.stages.find(
    ({ module, variants }) => module === undefined && variants.some(({ server }) => server === undefined),
  );
  if (synthetic !== undefined) {
    const message = `The stage ${synthetic.id} of ${file} has neither a module nor servers, so it has no answers to score. Add the field module.`;
    throw new AppError('INVALID_PIPELINE', message, { details: { stageId: synthetic.id } });
  }
  const dataDir = data === undefined ? resolve(spec.baseDir, evaluation.dataPath) : resolve(data);
  const found = await stat(dataDir).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    const message = `There is no data folder ${dataDir}. Name the folder of labelled samples with --data or in spec.evaluation.data.`;
    throw new AppError('FILE_NOT_FOUND', message, { details: { path: dataDir } });
  }
  const { module, metric } = evaluation;
  const loaded =
    module === undefined
      ? { loadSamples: (folder: string) => labelledFiles(spec, folder, samples) }
      : await importModule(module, spec.baseDir);
  return { module: evaluationModule(loaded, metric && metricScore(metric)), dataDir };
}
