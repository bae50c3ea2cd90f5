/** Chooses the solver for a surrogate problem. */
import { isProduct } from './accuracy-model.js';
import { searchAccuracyTable } from './accuracy-table-search.js';
import { searchAdditive } from './additive-search.js';
import type { Solution } from './solution.js';
import type { SurrogateProblem } from './surrogate.js';
import { withoutDominated } from './undominated-options.js';

/** Solves a surrogate problem: the best choice, or none. */
export function solve(problem: SurrogateProblem): Solution {
  const lean = withoutDominated(problem);
  return isProduct(lean.accuracy) ? searchAdditive(lean) : searchAccuracyTable(lean);
}
