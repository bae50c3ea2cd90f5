/** What a pipeline's accuracy is measured with: the evaluation module that its file names, imported, and the folder of its samples. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { importModule } from '@equipoise/adapter-embedded';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { type EvaluationModule, evaluationModule } from '@equipoise/runtime';

/** An imported evaluation module with an existing folder. */
export interface ImportedEvaluation {
  readonly module: EvaluationModule;
  readonly dataDir: string;
}

/** Imports the module; `data` wins over the folder of the file. Rejects with an AppError that names the field or path to correct. */
export async function importEvaluation(
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
    const message = `The stage ${synthetic.id} of ${file} has neither a module nor servers, so it gives no answers to score. Add the field module to it.`;
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
