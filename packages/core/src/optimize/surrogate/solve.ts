/** Chooses the solver for a surrogate problem. */

import { withoutDominated } from '../options/undominated-options.js';
import { isProduct } from '../problem/accuracy-model.js';
import { searchAccuracyTable } from './accuracy-table-search.js';
import { searchAdditive } from './additive-search.js';
import type { Solution } from './solution.js';
import type { SurrogateProblem } from './surrogate.js';

/** Solves a surrogate problem: the best choice, or none. */
export function solve(problem: SurrogateProblem): Solution {
  const lean = withoutDominated(problem);
  return isProduct(lean.accuracy) ? searchAdditive(lean) : searchAccuracyTable(lean);
}
