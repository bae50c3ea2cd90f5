/** Score of one answer by the metric of the pipeline. */
import { AppError, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import { metricScore } from '../../evaluate/metric-score.js';

type Metric = NonNullable<PipelineSpec['evaluation']>['metric'];

/** About 20 ms of the thread that serves. */
const MOST_PAIRS = { units: 5e7, boxes: 5e4 };

/** Outputs that the metric reads, or all if its tensor is missing; undefined without a metric. */
export function labelledOutputs(metric: Metric, outputs: TensorMap): TensorMap | undefined {
  if (metric === undefined) return undefined;
  const { output, boxClasses, boxScores } = metric;
  if (output === undefined || !Object.hasOwn(outputs, output)) return outputs;
  const names = [output, boxClasses, boxScores].filter((name) => name !== undefined && name in outputs) as string[];
  return Object.fromEntries(names.map((name) => [name, outputs[name]])) as TensorMap;
}

/** Throws AppError INVALID_FIELDS if the label cannot be compared. Messages do not quote labels or answers. */
export function labelScore(metric: Metric, outputs: TensorMap | undefined, label: unknown): number {
  if (metric === undefined)
    throw invalid('The pipeline file names no spec.evaluation.metric to compare a label with. Send a score instead.');
  if (outputs === undefined) throw invalid('The answer is too large to be kept for a label. Send a score instead.');
  const score = scoreOf(metric, outputs, label);
  if (Number.isNaN(score))
    throw invalid(`The metric ${metric.kind} is undefined for this answer alone. Send a score instead.`);
  return score;
}

function scoreOf(metric: NonNullable<Metric>, outputs: TensorMap, label: unknown): number {
  try {
    return metricScore(metric, MOST_PAIRS)([{ outputs, label }]);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw invalid(`The label, or the answer, does not have the form that the metric ${metric.kind} needs.`, cause);
  }
}

const invalid = (message: string, cause?: AppError): AppError =>
  new AppError('INVALID_FIELDS', message, cause && { cause });
