/**
 * Module that measures accuracy: labelled samples, and a score of all answers. The score is a fraction from 0 to 1;
 * higher is better. The owner of the pipeline writes the module, or only names a metric.
 */
import { AppError, elementCount, type Tensor, type TensorMap } from '@equipoise/core/model';

export interface LabelledSample {
  readonly inputs: TensorMap;
  readonly label: unknown;
}

export interface AnsweredSample {
  readonly outputs: TensorMap;
  readonly label: unknown;
}

export interface EvaluationModule {
  loadSamples(dataDir: string): Promise<readonly LabelledSample[]> | readonly LabelledSample[];
  score(samples: readonly AnsweredSample[]): number;
}

const described = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** `score` replaces that of the module. Throws MODULE_INVALID if a function is missing. */
export function evaluationModule(loaded: unknown, score?: EvaluationModule['score']): EvaluationModule {
  const found = (loaded ?? {}) as EvaluationModule & Readonly<Record<string, unknown>>;
  const functions = Object.keys(found).filter((name) => typeof found[name] === 'function');
  requireEvaluationFunctions(functions, score !== undefined);
  return score === undefined ? found : { loadSamples: found.loadSamples, score };
}

/** Throws MODULE_INVALID unless the functions of a module include those of an evaluation module. */
export function requireEvaluationFunctions(functions: readonly string[], hasMetric: boolean): void {
  const needed = hasMetric ? ['loadSamples'] : ['loadSamples', 'score'];
  const missing = needed.filter((name) => !functions.includes(name));
  if (missing.length === 0) return;
  const score = hasMetric ? '' : ' and score(samples), or name a metric in spec.evaluation.metric instead of a score';
  throw new AppError(
    'MODULE_INVALID',
    `The evaluation module does not export ${missing.join(' and ')}; it needs loadSamples(dataDir)${score}.`,
    { details: { missing } },
  );
}

/** Samples of `dataDir`, at least one. Throws MODULE_INVALID for a sample without tensors. */
export async function labelledSamples(module: EvaluationModule, dataDir: string): Promise<readonly LabelledSample[]> {
  let samples: readonly LabelledSample[];
  try {
    samples = await module.loadSamples(dataDir);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const message = `The evaluation module could not load the samples of ${dataDir}: ${described(cause)}`;
    throw new AppError('FILE_UNREADABLE', message, { details: { dataDir }, cause });
  }
  if (!Array.isArray(samples) || samples.length === 0)
    throw new AppError('FILE_NOT_FOUND', `The evaluation finds no samples in ${dataDir}.`, {
      details: { dataDir },
    });
  for (const [index, sample] of samples.entries()) requireTensors(sample, index);
  return samples;
}

/** The module is not trusted to return what its type says. */
function requireTensors(sample: unknown, index: number): void {
  const { inputs } = (sample ?? {}) as { readonly inputs?: unknown };
  if (typeof inputs !== 'object' || inputs === null) throw wrongSample(index, 'has no inputs');
  for (const [name, tensor] of Object.entries(inputs)) {
    const { datatype, shape, data } = (tensor ?? {}) as Partial<Tensor>;
    if (typeof datatype !== 'string' || !Array.isArray(shape) || typeof data !== 'object' || data === null)
      throw wrongSample(index, `has an input ${name} that is no tensor`);
    const elements = elementCount(shape);
    if (data.length !== elements)
      throw wrongSample(index, `has an input ${name} with ${data.length} elements, but its shape has ${elements}`);
  }
}

const wrongSample = (index: number, problem: string): AppError =>
  new AppError(
    'MODULE_INVALID',
    `Sample ${index + 1} of the evaluation module ${problem}. Let loadSamples return [{ inputs: { NAME: { datatype, shape, data } }, label }, …].`,
    { details: { sample: index } },
  );

/** Score of the answers: a fraction or NaN. Throws MODULE_INVALID if the module throws or returns anything else. */
export function scoreOf(module: EvaluationModule, samples: readonly AnsweredSample[]): number {
  const score = rawScore(module, samples);
  // Recall without a positive sample is undefined. Larger sets of samples may have a score.
  if (typeof score === 'number' && ((score >= 0 && score <= 1) || Number.isNaN(score))) return score;
  throw noFraction(String(score));
}

/** Throws MODULE_INVALID if the module throws. */
export function rawScore(module: EvaluationModule, samples: readonly AnsweredSample[]): unknown {
  try {
    return module.score(samples);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('MODULE_INVALID', `The score of the evaluation module failed: ${described(cause)}`, { cause });
  }
}

export const noFraction = (found: string): AppError =>
  new AppError(
    'MODULE_INVALID',
    `The score of the answers is ${found}; it has to be a fraction 0…1, where more is better.`,
  );
