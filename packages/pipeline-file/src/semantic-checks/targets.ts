import { isMalformed, type SpecDraft } from '../draft.js';
import { fieldDefaults } from '../field-defaults.js';
import type { Finding } from '../problem.js';

/**
 * Finds percentiles given as fractions, missing or ignored accuracy floors, weights without effect, and too large
 * answer margins.
 */
export function checkTargets(spec: SpecDraft): Finding[] {
  return [...checkPercentile(spec), ...checkAccuracyFloor(spec), ...checkWeights(spec), ...checkAnswerMargin(spec)];
}

function* checkPercentile({ slo }: SpecDraft): Generator<Finding> {
  const percentile = slo?.percentile;
  if (percentile === undefined || percentile > 1) return;
  const suggestion = String(Number((percentile * 100).toPrecision(12)));
  const message = `expected a percentile between 1 and 100, found ${percentile}; write the 99th percentile as 99`;
  yield { path: ['spec', 'slo', 'percentile'], message, ...(percentile === 1 ? {} : { suggestion }) };
}

function* checkAccuracyFloor(spec: SpecDraft): Generator<Finding> {
  if (isMalformed(spec, 'objective')) return;
  const minimizesCost = (spec.objective ?? fieldDefaults.objective) === 'min-cost';
  const hasFloor = Object.hasOwn(spec, 'accuracyFloor');
  const path = ['spec', 'accuracyFloor'];
  if (minimizesCost && !hasFloor)
    yield { path, message: 'missing field "accuracyFloor", expected a fraction 0…1 with the objective min-cost' };
  if (!minimizesCost && hasFloor)
    yield { path, message: 'accuracyFloor has no effect: only the objective min-cost uses it', severity: 'warning' };
}

function* checkWeights({ objective }: SpecDraft): Generator<Finding> {
  if (typeof objective !== 'object' || objective.weights === undefined) return;
  const { accuracy, cost, batch } = objective.weights;
  if (accuracy === 0 && cost === 0 && batch === 0)
    yield { path: ['spec', 'objective', 'weights'], message: 'expected a weight above 0, found 0 for all three' };
}

function* checkAnswerMargin({ slo, admission }: SpecDraft): Generator<Finding> {
  const { answerMarginMs } = admission ?? {};
  if (answerMarginMs === undefined || slo?.latencyMs === undefined || answerMarginMs <= slo.latencyMs / 2) return;
  const message = `expected at most ${slo.latencyMs / 2}, half of slo.latencyMs, found ${answerMarginMs}`;
  yield { path: ['spec', 'admission', 'answerMarginMs'], message, suggestion: String(slo.latencyMs / 2) };
}
