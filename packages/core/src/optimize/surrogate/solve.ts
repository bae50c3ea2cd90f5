/** Chooses the solver for a surrogate problem. */

import type { Solution, SurrogateProblem } from '../options/surrogate.js';
import { isProduct } from '../problem/accuracy-model.js';
import { searchAccuracyTable } from './accuracy-table-search.js';
import { searchAdditive } from './additive-search.js';
import { undominatedOptions } from './undominated-options.js';

/** Solves a surrogate problem: the best choice, or none. */
export function solve(problem: SurrogateProblem): Solution {
  return solveUndominated(undominatedOptions(problem));
}

/** Solves a problem that `withoutDominated` has been through: the answer is the same without, only later. */
export function solveUndominated(lean: SurrogateProblem): Solution {
  return isProduct(lean.accuracy) ? searchAdditive(lean) : searchAccuracyTable(lean);
}
