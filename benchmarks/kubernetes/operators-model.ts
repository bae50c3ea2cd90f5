/**
 * Model of the operators' cost, fitted to measured runs: cores and memory of a process grow with its own pipelines, and
 * with those of others, because it receives the changes of all watched objects.
 */

/** Load and cost of one operator in a run. */
export interface CostPoint {
  readonly own: number;
  readonly others: number;
  readonly cores: number;
  readonly residentMib: number;
}

/** Fixed cost, cost of each own pipeline, cost of each pipeline of others. */
export type CostTerms = readonly [fixed: number, own: number, others: number];

export interface CostModel {
  readonly cores: CostTerms;
  readonly residentMib: CostTerms;
}

export interface Carried {
  readonly operators: number;
  readonly pipelines: number;
  readonly limit: 'cores' | 'memory';
}

export function fitCost(points: readonly CostPoint[]): CostModel {
  return {
    cores: leastSquares(points, ({ cores }) => cores),
    residentMib: leastSquares(points, ({ residentMib }) => residentMib),
  };
}

export function costOf(terms: CostTerms, { own, others }: Pick<CostPoint, 'own' | 'others'>): number {
  return terms[0] + terms[1] * own + terms[2] * others;
}

/** Most pipelines of equal operators, each with its share, within the bounds of one operator. */
export function carriedBy(
  model: CostModel,
  operators: number,
  bounds: { readonly cores: number; readonly residentMib: number },
): Carried {
  const most = ([fixed, own, others]: CostTerms, bound: number): number =>
    (bound - fixed) / (own / operators + others * (1 - 1 / operators));
  const [byCores, byMemory] = [most(model.cores, bounds.cores), most(model.residentMib, bounds.residentMib)];
  const pipelines = Math.max(0, Math.floor(Math.min(byCores, byMemory)));
  return { operators, pipelines, limit: byCores <= byMemory ? 'cores' : 'memory' };
}

/** Relative least squares, so that small runs count as much as large ones. Terms below 0 are dropped. */
function leastSquares(points: readonly CostPoint[], measureOf: (point: CostPoint) => number): CostTerms {
  const subsets = [[0, 1, 2], [0, 1], [0, 2], [1, 2], [1], [2], [0]];
  let best: { terms: CostTerms; error: number } | undefined;
  for (const columns of subsets) {
    const terms = solved(points, columns, measureOf);
    if (terms === undefined || terms.some((term) => term < 0)) continue;
    const error = points.reduce((sum, point) => sum + (costOf(terms, point) / measureOf(point) - 1) ** 2, 0);
    if (best === undefined || error < best.error - 1e-12) best = { terms, error };
  }
  return best?.terms ?? [0, 0, 0];
}

/** Normal equations for some columns; undefined if they have no single solution. */
function solved(
  points: readonly CostPoint[],
  columns: readonly number[],
  measureOf: (point: CostPoint) => number,
): CostTerms | undefined {
  const rows = points.map((point) => {
    const all = [1, point.own, point.others];
    return columns.map((column) => (all[column] as number) / measureOf(point));
  });
  const matrix = columns.map((_, i) => [
    ...columns.map((__, j) => rows.reduce((sum, row) => sum + (row[i] as number) * (row[j] as number), 0)),
    rows.reduce((sum, row) => sum + (row[i] as number), 0),
  ]);
  const found = eliminated(matrix);
  if (found === undefined) return undefined;
  const terms: [number, number, number] = [0, 0, 0];
  columns.forEach((column, index) => {
    terms[column] = found[index] as number;
  });
  return terms;
}

/** Gauss–Jordan elimination of an augmented matrix. */
function eliminated(matrix: number[][]): readonly number[] | undefined {
  const size = matrix.length;
  for (let pivot = 0; pivot < size; pivot++) {
    const row = matrix[pivot] as number[];
    const divisor = row[pivot] as number;
    if (!(Math.abs(divisor) > 1e-9)) return undefined;
    for (let column = 0; column <= size; column++) row[column] = (row[column] as number) / divisor;
    for (const other of matrix) {
      if (other === row) continue;
      const factor = other[pivot] as number;
      for (let column = 0; column <= size; column++)
        other[column] = (other[column] as number) - factor * (row[column] as number);
    }
  }
  return matrix.map((row) => row[size] as number);
}
