/** `equipoise evaluate`: measures end-to-end accuracy of variant combinations on labelled samples. */

import { Console } from 'node:console';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { importModule } from '@equipoise/adapter-embedded';
import { AppError, type PipelineSpec, type StageId } from '@equipoise/core/model';
import { type Evaluation, type EvaluationModule, evaluatePipeline, evaluationModule } from '@equipoise/runtime';
import pc from 'picocolors';
import { requireArtifacts } from '../compose/artifacts.js';
import { embeddedLauncher } from '../compose/embedded-launcher.js';
import { loadSpec } from '../compose/load-spec.js';
import { outputFile } from '../report/output-file.js';
import { fractionText } from '../terminal/plan-table.js';
import { progressDisplay } from '../terminal/progress.js';
import type { CommandResult } from '../terminal/run-command.js';
import { textTable } from '../terminal/text-table.js';

interface EvaluateOptions {
  readonly data?: string;
  readonly out?: string;
  readonly samples?: number;
}

/** Writes the table to `out`, in the form of `accuracyTable`. */
export async function evaluate(file: string, options: EvaluateOptions): Promise<CommandResult> {
  // The evaluation module must not write to stdout.
  globalThis.console = new Console(process.stderr);
  const spec = await loadSpec(file);
  const { data, out, samples } = options;
  const imported = await importEvaluation(spec, { file, ...(data !== undefined && { data }) });
  const output = out === undefined ? undefined : await outputFile(out);
  const { table, leftOut } = await measure(spec, imported, samples);
  await output?.write(table);
  const json = { ...table, ...(leftOut !== undefined && { leftOut }) };
  return { json, text: evaluationText(spec, { table, ...(leftOut !== undefined && { leftOut }) }) };
}

async function measure(
  spec: PipelineSpec,
  { module, dataDir }: ImportedEvaluation,
  maxSamples: number | undefined,
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
      ...(maxSamples !== undefined && { maxSamples }),
      onProgress: (progress) => display.show(progress),
    });
  } finally {
    display.stop();
  }
}

/** Combinations, best first, then samples, and skipped combinations with reasons. */
function evaluationText({ stages }: PipelineSpec, { table, leftOut }: Evaluation): string {
  const chosen = stages.filter(({ variants }) => variants.length > 1).map(({ id }) => id);
  const shown: readonly StageId[] = chosen.length > 0 ? chosen : stages.map(({ id }) => id);
  const rows = table.combinations
    .toSorted((a, b) => b.accuracy - a.accuracy)
    .map(({ variants, accuracy, confidence95: [low, high] }) => [
      ...shown.map((id) => variants[id] ?? ''),
      fractionText(accuracy),
      `${fractionText(low)} to ${fractionText(high)}`,
    ]);
  const samples = table.combinations[0]?.samples ?? 0;
  const notes = [
    `${samples} ${samples === 1 ? 'sample' : 'samples'}`,
    ...(leftOut === undefined ? [] : [leftOut.reason]),
  ];
  return [
    textTable([...shown, { right: 'accuracy' }, { right: '95 % interval' }], rows),
    ...notes.map((note) => pc.dim(note)),
  ].join('\n');
}

interface ImportedEvaluation {
  readonly module: EvaluationModule;
  readonly dataDir: string;
}

/** Imports the evaluation module; `data` overrides its data folder. The error names the field or path to correct. */
async function importEvaluation(
  spec: PipelineSpec,
  { file, data }: { readonly file: string; readonly data?: string },
): Promise<ImportedEvaluation> {
  const { evaluation } = spec;
  if (evaluation === undefined) {
    const message = `${file} names no evaluation module. Add the field spec.evaluation, such as evaluation: { module: ./evaluate.ts, data: ./data }.`;
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
  return { module: evaluationModule(await importModule(evaluation.module, spec.baseDir)), dataDir };
}
