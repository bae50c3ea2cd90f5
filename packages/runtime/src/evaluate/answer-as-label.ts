/** An answer as the label of another answer, for metrics that compare the two. */
import type { ShadowSpec, TensorMap } from '@equipoise/core/model';
import { outputOf, rankedClasses, valuesOf } from './metric-score.js';

/** Throws AppError INVALID_PIPELINE if the answer lacks what the metric reads. */
export function answerAsLabel(metric: ShadowSpec['metric'], outputs: TensorMap): unknown {
  const { kind, output } = metric;
  const tensor = outputOf(outputs, output);
  switch (kind) {
    case 'cer':
    case 'wer':
      return valuesOf(tensor).map(String);
    case 'box-f1':
      return boxesOf(metric, outputs);
    case 'rmse':
    case 'mae':
      return valuesOf(tensor).map(Number);
    default:
      return rankedClasses({ outputs, label: undefined }, { ...metric, mostPairs: NO_LIMIT, names: NO_NAMES })[0];
  }
}

const NO_LIMIT = { units: Number.POSITIVE_INFINITY, boxes: Number.POSITIVE_INFINITY };
const NO_NAMES: ReadonlySet<string> = new Set();

function boxesOf({ output, boxClasses }: ShadowSpec['metric'], outputs: TensorMap): readonly object[] {
  const corners = valuesOf(outputOf(outputs, output)).map(Number);
  const classes = boxClasses === undefined ? undefined : valuesOf(outputOf(outputs, boxClasses, 'boxClasses'));
  return Array.from({ length: corners.length / 4 }, (_, index) => ({
    box: corners.slice(4 * index, 4 * index + 4),
    ...(classes && { class: String(classes[index]) }),
  }));
}
