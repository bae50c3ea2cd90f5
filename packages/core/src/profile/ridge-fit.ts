/** Ridge regression from sums over rows, so that leaving out a segment costs nothing. */
import { studentQuantile } from '../kernel/student-quantile.js';
import { symmetricSolver } from '../kernel/symmetric-solver.js';

/** Sums over rows x, y: x·xᵀ (rows one after another), x·y, y², and the number of rows. */
export interface RidgeSums {
  readonly xx: Float64Array;
  readonly xy: Float64Array;
  yy: number;
  rows: number;
}

/** `prior`: standard deviations around 0. `atLeastZero`: indices of values that cannot be negative. */
interface RidgePrior {
  readonly prior: readonly number[];
  readonly atLeastZero: readonly number[];
}

/** `halfWidths`: of the 95 % intervals. */
interface RidgeFit {
  readonly values: readonly number[];
  readonly halfWidths: readonly number[];
}

export const emptySums = (size: number): RidgeSums => ({
  xx: new Float64Array(size * size),
  xy: new Float64Array(size),
  yy: 0,
  rows: 0,
});

export function addRow(sums: RidgeSums, x: readonly number[], y: number): void {
  const size = x.length;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++)
      sums.xx[row * size + column] =
        (sums.xx[row * size + column] as number) + (x[row] as number) * (x[column] as number);
    sums.xy[row] = (sums.xy[row] as number) + (x[row] as number) * y;
  }
  sums.yy += y * y;
  sums.rows += 1;
}

/** Sum of all, without one of them. */
function sumsWithout(all: readonly RidgeSums[], leftOut?: RidgeSums): RidgeSums {
  const total = emptySums((all[0] as RidgeSums).xy.length);
  for (const sums of all) {
    if (sums === leftOut) continue;
    for (let i = 0; i < total.xx.length; i++) total.xx[i] = (total.xx[i] as number) + (sums.xx[i] as number);
    for (let i = 0; i < total.xy.length; i++) total.xy[i] = (total.xy[i] as number) + (sums.xy[i] as number);
    total.yy += sums.yy;
    total.rows += sums.rows;
  }
  return total;
}

const ROUNDS = 3;
const Z95 = 1.96;
const LEAST_VARIANCE = 1e-6;
/** A prior this narrow fixes a value at 0. */
const FIXED = 1e-9;

/** Fewer segments have no jackknife. */
const FEWEST_SEGMENTS = 3;

/**
 * Fit to the rows of all segments. A half width is the larger of that of the posterior and that of the delete-one-segment
 * jackknife with Student's t, because slow batches come together.
 */
export function segmentsFit(segments: readonly RidgeSums[], prior: RidgePrior): RidgeFit {
  const { values, halfWidths } = ridgeFit(segments, prior);
  if (segments.length < FEWEST_SEGMENTS) return { values, halfWidths };
  const leftOut = segments.map((segment) => solvedWithin(sumsWithout(segments, segment), prior).values);
  const t = studentQuantile(0.975, segments.length - 1);
  return {
    values,
    halfWidths: halfWidths.map((halfWidth, index) =>
      Math.max(halfWidth, t * jackknifeError(leftOut.map((each) => each[index] as number))),
    ),
  };
}

function jackknifeError(values: readonly number[]): number {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  return Math.sqrt(((count - 1) / count) * values.reduce((sum, value) => sum + (value - mean) ** 2, 0));
}

/** Fit to the rows of all segments, with the half widths of the posterior. */
export const ridgeFit = (segments: readonly RidgeSums[], prior: RidgePrior): RidgeFit =>
  solvedWithin(sumsWithout(segments), prior);

function solvedWithin(sums: RidgeSums, { prior, atLeastZero }: RidgePrior): RidgeFit {
  let deviations = prior;
  for (;;) {
    const fit = solved(sums, deviations);
    const negative = atLeastZero.filter((index) => (fit.values[index] as number) < 0 && deviations[index] !== FIXED);
    if (negative.length === 0) {
      // A value fixed at 0 is as uncertain as before it was fixed.
      const free = solved(sums, prior);
      return {
        values: fit.values.map((value, index) => (deviations[index] === FIXED ? 0 : value)),
        halfWidths: free.halfWidths,
      };
    }
    deviations = deviations.map((deviation, index) => (negative.includes(index) ? FIXED : deviation));
  }
}

/** The variance of the rows and the values are found in turn. */
function solved(sums: RidgeSums, deviations: readonly number[]): RidgeFit {
  const size = deviations.length;
  let variance = Math.max(LEAST_VARIANCE, sums.yy / sums.rows);
  let values: readonly number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    values = [...solverOf(sums, deviations, variance)(sums.xy.map((value) => value / variance))];
    variance = Math.max(LEAST_VARIANCE, residualSquares(sums, values) / sums.rows);
  }
  const solver = solverOf(sums, deviations, variance);
  const halfWidths = values.map((_, index) => {
    const unit = new Float64Array(size);
    unit[index] = 1;
    return Z95 * Math.sqrt(Math.max(0, solver(unit)[index] as number));
  });
  return { values, halfWidths };
}

function solverOf(sums: RidgeSums, deviations: readonly number[], variance: number) {
  const size = deviations.length;
  const matrix = sums.xx.map((value) => value / variance);
  for (const [index, deviation] of deviations.entries())
    matrix[index * size + index] = (matrix[index * size + index] as number) + 1 / deviation ** 2;
  return symmetricSolver(matrix, size);
}

function residualSquares({ xx, xy, yy }: RidgeSums, values: readonly number[]): number {
  const size = values.length;
  let squares = yy;
  for (let row = 0; row < size; row++) {
    squares -= 2 * (values[row] as number) * (xy[row] as number);
    for (let column = 0; column < size; column++)
      squares += (values[row] as number) * (values[column] as number) * (xx[row * size + column] as number);
  }
  return Math.max(0, squares);
}
