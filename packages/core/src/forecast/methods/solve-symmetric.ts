/** Solves A·x = b for a symmetric positive definite A by Cholesky's decomposition A = L·Lᵀ. */

/** A, row by row (only its lower triangle is read), and b. */
export interface SymmetricSystem {
  readonly matrix: Float64Array;
  readonly right: Float64Array;
}

/** x; a pivot that is not above 0 (a column that the others already explain) leaves its component 0. */
export function solveSymmetric({ matrix, right }: SymmetricSystem): Float64Array {
  const size = right.length;
  const lower = factor(matrix, size);
  const solution = Float64Array.from(right);
  for (let row = 0; row < size; row++) {
    let sum = solution[row] as number;
    for (let k = 0; k < row; k++) sum -= (lower[row * size + k] as number) * (solution[k] as number);
    solution[row] = divided(sum, lower[row * size + row] as number);
  }
  for (let row = size - 1; row >= 0; row--) {
    let sum = solution[row] as number;
    for (let k = row + 1; k < size; k++) sum -= (lower[k * size + row] as number) * (solution[k] as number);
    solution[row] = divided(sum, lower[row * size + row] as number);
  }
  return solution;
}

/** Relative to the diagonal, what rounding leaves of a pivot that is 0. */
const NO_PIVOT = 1e-12;

const divided = (value: number, pivot: number): number => (pivot === 0 ? 0 : value / pivot);

function factor(matrix: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * size + column] as number;
      for (let k = 0; k < column; k++) sum -= (lower[row * size + k] as number) * (lower[column * size + k] as number);
      const diagonal = matrix[row * size + row] as number;
      if (row === column) lower[row * size + row] = sum > NO_PIVOT * diagonal ? Math.sqrt(sum) : 0;
      else lower[row * size + column] = divided(sum, lower[column * size + column] as number);
    }
  }
  return lower;
}
