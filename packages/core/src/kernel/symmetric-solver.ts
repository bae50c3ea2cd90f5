/** Pivots below this fraction of the diagonal count as zero. */
const NO_PIVOT = 1e-12;

const divide = (value: number, pivot: number): number => (pivot === 0 ? 0 : value / pivot);

/**
 * Solves A·x = b by Cholesky, for a positive definite A (rows one after another; the lower triangle is read). Collinear
 * columns get the component 0.
 */
export function symmetricSolver(matrix: Float64Array, size: number): (right: Float64Array) => Float64Array {
  const lower = choleskyFactor(matrix, size);
  return (right) => {
    const solution = Float64Array.from(right);
    for (let row = 0; row < size; row++) {
      let sum = solution[row] as number;
      for (let k = 0; k < row; k++) sum -= (lower[row * size + k] as number) * (solution[k] as number);
      solution[row] = divide(sum, lower[row * size + row] as number);
    }
    for (let row = size - 1; row >= 0; row--) {
      let sum = solution[row] as number;
      for (let k = row + 1; k < size; k++) sum -= (lower[k * size + row] as number) * (solution[k] as number);
      solution[row] = divide(sum, lower[row * size + row] as number);
    }
    return solution;
  };
}

function choleskyFactor(matrix: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * size + column] as number;
      for (let k = 0; k < column; k++) sum -= (lower[row * size + k] as number) * (lower[column * size + k] as number);
      const diagonal = matrix[row * size + row] as number;
      if (row === column) lower[row * size + row] = sum > NO_PIVOT * diagonal ? Math.sqrt(sum) : 0;
      else lower[row * size + column] = divide(sum, lower[column * size + column] as number);
    }
  }
  return lower;
}
