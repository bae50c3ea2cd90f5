/** Mean of independent values with its 95 % interval (Student 1908). */
import { studentQuantile } from './student-quantile.js';

/** Unbounded for fewer than two values. */
export interface MeanInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Requires at least one value. */
export function meanInterval95(values: readonly number[]): MeanInterval {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = studentQuantile(0.975, n - 1) * Math.sqrt(squares / (n - 1) / n);
  return { mean, low: mean - half, high: mean + half };
}

/** Range of possible values. `high` is Infinity if there is no upper bound. */
export interface FigureRange {
  readonly low: number;
  readonly high: number;
}

/**
 * 95 % interval within `range`: Student's interval of the log of the distance to `low` or, if `high` is finite, of the
 * logit (delta method).
 */
export function rangedMeanInterval95(values: readonly number[], range: FigureRange): MeanInterval {
  const student = meanInterval95(values);
  const { mean } = student;
  const half = student.high - mean;
  if (half === 0 || !Number.isFinite(half)) return student;
  const [below, above] = [mean - range.low, range.high - mean];
  const scaledHalf = Number.isFinite(above) ? half * (1 / below + 1 / above) : half / below;
  const at = (shift: number): number => {
    const factor = Math.exp(shift);
    if (!Number.isFinite(above)) return range.low + below * factor;
    return range.low + (range.high - range.low) / (1 + above / (below * factor));
  };
  return { mean, low: at(-scaledHalf), high: at(scaledHalf) };
}
