/**
 * Least squares (Draper and Smith, Applied Regression Analysis, §2): value at zero regressors, with its standard error.
 */
export function intercept(
  values: readonly number[],
  regressors: readonly (readonly number[])[],
): { readonly value: number; readonly standardError: number } {
  const rows = regressors.map((row) => [1, ...row]);
  const size = rows[0]?.length ?? 1;
  // Normal equations with the first unit vector: the solution is the first column of the inverse.
  const system = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (__, j) => sum(rows, (row) => (row[i] as number) * (row[j] as number))),
    sum(rows, (row, r) => (row[i] as number) * (values[r] as number)),
    i === 0 ? 1 : 0,
  ]);
  eliminate(system);
  const coefficients = system.map((row) => row[size] as number);
  const squares = sum(rows, (row, r) => {
    const fitted = row.reduce((total, x, i) => total + x * (coefficients[i] as number), 0);
    return ((values[r] as number) - fitted) ** 2;
  });
  const variance = squares / (values.length - size);
  return { value: coefficients[0] as number, standardError: Math.sqrt(variance * (system[0]?.[size + 1] as number)) };
}

const sum = <Row>(rows: readonly Row[], of: (row: Row, index: number) => number): number =>
  rows.reduce((total, row, index) => total + of(row, index), 0);

/** Gauss-Jordan elimination of a positive definite system. */
function eliminate(system: number[][]): void {
  for (const [p, pivot] of system.entries()) {
    const lead = pivot[p] as number;
    for (const [j, x] of pivot.entries()) pivot[j] = x / lead;
    for (const [i, row] of system.entries()) {
      const factor = row[p] as number;
      if (i !== p) for (const [j, x] of pivot.entries()) row[j] = (row[j] as number) - factor * x;
    }
  }
}
