import { existsSync } from 'node:fs';
import { basename, relative, resolve, sep } from 'node:path';
import { launchRules, missingReference } from '@equipoise/adapter-embedded/launch-rules';
import { loadOnnxModel } from '@equipoise/adapter-onnx';
import { load } from '@equipoise/adapter-onnx/stage';
import { AppError, SeededRng, type TensorMap, type TensorType } from '@equipoise/core/model';
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

interface ReadModel {
  readonly found: FoundModel;
  readonly path: string;
  /** Outputs with all dimensions that may have rows of their own: no name tells if the first one is the batch. */
  readonly unsure: readonly TensorType[];
}

/** Runs of a model with random inputs. */
interface Trial {
  /** First size that the model accepts, or the first one if it accepts none; undefined if all are too large. */
  readonly size: number | undefined;
  readonly answers: readonly TensorMap[];
  readonly failure?: unknown;
}

/**
 * Models of files or `npm:package/path`, for a pipeline in the folder `target`. Throws FILE_NOT_FOUND or
 * MODEL_LOAD_FAILED, and WRONG_USAGE if no sample can hold the inputs of the first model.
 */
export async function readOnnxModels(references: readonly string[], target: string): Promise<FoundModels> {
  const read: ReadModel[] = [];
  for (const reference of references) read.push(await readOnnxModel(reference, target));
  const [first, ...others] = read as [ReadModel, ...ReadModel[]];
  const trial = await firstTrial(first);
  const models = [withOwnRows(first, trial)];
  for (const other of others)
    models.push(withOwnRows(other, other.unsure.length > 0 ? await trialOf(other) : NO_TRIAL));
  return {
    models,
    stageFields: ['module: npm:@equipoise/adapter-onnx/stage'],
    anySize: trial.size as number,
  };
}

const NO_TRIAL: Trial = { size: undefined, answers: [] };

function pathOf(reference: string): string {
  const folder = process.cwd();
  const path = launchRules.locate(reference, folder);
  if (path !== undefined && existsSync(path)) return path;
  const message =
    missingReference('artifact', reference, folder) ?? `${reference} is not a file on this machine. Download it first.`;
  throw new AppError('FILE_NOT_FOUND', message, { details: { path: reference } });
}

async function readOnnxModel(reference: string, target: string): Promise<ReadModel> {
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
  const found = {
    name: plainName(basename(path).replace(/\.onnx$/i, ''), 'model'),
    origin: reference,
    inputs: itemTypes(model.inputs),
    outputs: itemTypes(model.outputs),
    batches,
    fields: [`artifact: ${yaml(artifact)}`, 'resources: { cpuCores: [0.5, 1] }'],
  };
  return { found, path, unsure: batches && !model.namesBatch ? model.outputs : [] };
}

function relativePath(folder: string, path: string): string {
  const parts = relative(folder, resolve(path)).split(sep);
  return (parts[0] === '..' ? parts : ['.', ...parts]).join('/');
}

/** Warns if the model accepts no random inputs. */
async function firstTrial(first: ReadModel): Promise<Trial> {
  const { found } = first;
  requireTensors(found);
  sampleItem(found, Math.min(...SIZES), new SeededRng(1));
  const trial = await trialOf(first);
  if (trial.failure === undefined) return trial;
  const problem = trial.failure instanceof Error ? trial.failure.message : String(trial.failure);
  warn(
    `${found.origin} does not accept random inputs (${problem}). Replace the files in samples/ before you run profile.`,
  );
  return trial;
}

/** Sizes that are too large for samples are not tried. */
async function trialOf({ found, path, unsure }: ReadModel): Promise<Trial> {
  const sizes = SIZES.filter((size) => fitsSample(found, size));
  const variant = { name: found.name, artifactPath: path, parameters: {} };
  const stage = await load(variant, { cpuCores: 1, memoryBytes: 0, gpus: 0 });
  let failure: unknown;
  try {
    for (const size of sizes) {
      try {
        const draw = randomItems(found, size);
        const answers = await stage.run([draw()]);
        if (unsure.length === 0) return { size, answers };
        // Detections may be as many as the items by chance, but hardly in both runs.
        const more = await Promise.resolve(stage.run([draw(), draw()])).catch(() => []);
        return { size, answers: [...answers, ...more] };
      } catch (error) {
        failure ??= error;
      }
    }
  } finally {
    await stage.close?.();
  }
  return { size: sizes[0], answers: [], failure };
}

function randomItems(model: FoundModel, size: number): () => TensorMap {
  const rng = new SeededRng(1);
  return () => {
    const values = sampleItem(model, size, rng);
    const tensors = model.inputs.map((type) => [type.name, tensorOfJson(values[type.name], type)]);
    return Object.fromEntries(tensors) as TensorMap;
  };
}

/** The model with the first dimension of outputs that have rows of their own, such as detections. It runs item by item. */
function withOwnRows({ found, unsure }: ReadModel, { answers }: Trial): FoundModel {
  const ownRows = unsure.filter(({ name, shape }) =>
    answers.some((answer) => answer[name]?.shape.length === shape.length),
  );
  if (ownRows.length === 0) return found;
  const outputs = found.outputs.map((type) => ownRows.find(({ name }) => name === type.name) ?? type);
  return { ...found, outputs, batches: false };
}
