/** An evaluation needs a score, and each option of a metric needs a metric that reads it. */
import type { SpecDraft } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';

type EvaluationDraft = NonNullable<SpecDraft['evaluation']>;
type Metric = NonNullable<EvaluationDraft['metric']>;

const ofClasses: readonly Metric[] = ['accuracy', 'top-k', 'f1', 'f1-macro'];
const ofErrors: readonly Metric[] = ['rmse', 'mae'];

/** Metrics that read an option. All metrics read `output`. */
const metricsOf = {
  classes: [...ofClasses, 'box-f1'],
  k: ['top-k'],
  positive: ['f1'],
  iou: ['box-f1'],
  boxClasses: ['box-f1'],
  boxScores: ['box-f1'],
  scale: ofErrors,
} satisfies Partial<Record<keyof EvaluationDraft, readonly Metric[]>>;

export function* checkEvaluation({ evaluation }: SpecDraft): Generator<Finding> {
  if (evaluation === undefined) return;
  const path = ['spec', 'evaluation'];
  if (!Object.hasOwn(evaluation, 'module') && !Object.hasOwn(evaluation, 'metric'))
    yield { path, message: 'missing field "metric" or "module", expected one that scores the answers' };
  const { metric } = evaluation;
  if (Object.hasOwn(evaluation, 'metric') && metric === undefined) return;
  yield* checkMetricOptions(evaluation, path);
  yield* checkPositive(evaluation, path);
}

/** Each option needs a metric that reads it, and some metrics an option. */
export function* checkMetricOptions(
  evaluation: Pick<EvaluationDraft, 'metric' | 'output' | keyof typeof metricsOf>,
  path: ValuePath,
): Generator<Finding> {
  const { metric } = evaluation;
  if (ofErrors.some((each) => each === metric) && !Object.hasOwn(evaluation, 'scale'))
    yield { path, message: `missing field "scale", expected the error that scores 0 with the metric ${metric}` };
  if (metric === undefined && Object.hasOwn(evaluation, 'output'))
    yield { path: [...path, 'output'], message: 'expected no output without a metric, which reads it' };
  for (const [option, metrics] of Object.entries(metricsOf))
    if (Object.hasOwn(evaluation, option) && !metrics.some((each) => each === metric))
      yield {
        path: [...path, option],
        message: `expected no ${option} with ${metric === undefined ? 'no metric' : `the metric ${metric}`}; ${metrics.join(', ')} reads it`,
      };
}

/** The class may be given by name or by number. */
function* checkPositive({ metric, classes, ...rest }: EvaluationDraft, path: ValuePath): Generator<Finding> {
  const { positive = Object.hasOwn(rest, 'positive') ? undefined : '1' } = rest;
  if (metric !== 'f1' || classes === undefined || positive === undefined) return;
  if (classes.includes(positive) || (/^\d+$/.test(positive) && Number(positive) < classes.length)) return;
  yield {
    path: [...path, ...(rest.positive === undefined ? [] : ['positive'])],
    message: `expected as positive a name in classes or its number, found "${positive}"`,
  };
}
