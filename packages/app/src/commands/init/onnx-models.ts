import { existsSync } from 'node:fs';
import { basename, relative, resolve, sep } from 'node:path';
import { launchRules, missingReference } from '@equipoise/adapter-embedded/launch-rules';
import { loadOnnxModel } from '@equipoise/adapter-onnx';
import { load } from '@equipoise/adapter-onnx/stage';
import { AppError, SeededRng, type TensorMap } from '@equipoise/core/model';
import { tensorOfJson } from '@equipoise/runtime';
import { warn } from '../../terminal/log.js';
import {
  type FoundModel,
  type FoundModels,
  fitsSample,
  plainName,
  requireTensors,
  sampleItem,
  yaml,
} from './model-pipeline.js';

/** Sizes to try for dimensions of any size: lengths of texts, sides of images. */
const SIZES = [64, 224, 16, 1] as const;

/**
 * Models of files or `npm:package/path`, for a pipeline in the folder `target`. Throws FILE_NOT_FOUND or
 * MODEL_LOAD_FAILED.
 */
export async function readOnnxModels(references: readonly string[], target: string): Promise<FoundModels> {
  const models: FoundModel[] = [];
  for (const reference of references) models.push(await readOnnxModel(reference, target));
  return {
    models,
    stageFields: ['module: npm:@equipoise/adapter-onnx/stage'],
    anySize: await sizeThatRuns(models, references),
  };
}

function pathOf(reference: string): string {
  const folder = process.cwd();
  const path = launchRules.locate(reference, folder);
  if (path !== undefined && existsSync(path)) return path;
  const message =
    missingReference('artifact', reference, folder) ?? `${reference} is not a file on this machine. Download it first.`;
  throw new AppError('FILE_NOT_FOUND', message, { details: { path: reference } });
}

async function readOnnxModel(reference: string, target: string): Promise<FoundModel> {
  const path = pathOf(reference);
  const model = await loadOnnxModel(path);
  await model.close();
  const { batches } = model;
  const omit = batches || [...model.inputs, ...model.outputs].every(({ shape }) => shape[0] === 1) ? 1 : 0;
  for (const { name, shape } of model.inputs)
    if (shape.length === 0)
      warn(
        `${reference}: the input ${name} has no dimensions. If it is not a single value, export the model with them.`,
      );
  const itemTypes = (types: FoundModel['inputs']) => types.map((type) => ({ ...type, shape: type.shape.slice(omit) }));
  const artifact = reference.startsWith('npm:') ? reference : relativePath(target, path);
  return {
    name: plainName(basename(path).replace(/\.onnx$/i, ''), 'model'),
    origin: reference,
    inputs: itemTypes(model.inputs),
    outputs: itemTypes(model.outputs),
    batches,
    fields: [`artifact: ${yaml(artifact)}`, 'resources: { cpuCores: [0.5, 1] }'],
  };
}

function relativePath(folder: string, path: string): string {
  const parts = relative(folder, resolve(path)).split(sep);
  return (parts[0] === '..' ? parts : ['.', ...parts]).join('/');
}

/**
 * First size that the first model accepts for dimensions of any size. Sizes that are too large for samples are not
 * tried. Warns if it accepts none. Throws WRONG_USAGE if all are too large.
 */
async function sizeThatRuns([first]: readonly FoundModel[], [reference = '']: readonly string[]): Promise<number> {
  const model = first as FoundModel;
  requireTensors(model);
  sampleItem(model, Math.min(...SIZES), new SeededRng(1));
  const sizes = SIZES.filter((size) => fitsSample(model, size));
  const variant = { name: model.name, artifactPath: pathOf(reference), parameters: {} };
  const stage = await load(variant, { cpuCores: 1, memoryBytes: 0, gpus: 0 });
  let failure: unknown;
  try {
    for (const size of sizes) {
      const values = sampleItem(model, size, new SeededRng(1));
      const item = model.inputs.map((type) => [type.name, tensorOfJson(values[type.name], type)]);
      try {
        await stage.run([Object.fromEntries(item) as TensorMap]);
        return size;
      } catch (error) {
        failure ??= error;
      }
    }
  } finally {
    await stage.close?.();
  }
  const problem = failure instanceof Error ? failure.message : String(failure);
  warn(
    `${reference} does not accept random inputs (${problem}). Replace the files in samples/ before you run profile.`,
  );
  return sizes[0] as number;
}
