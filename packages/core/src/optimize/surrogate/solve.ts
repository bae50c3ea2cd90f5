/** Chooses the solver for a surrogate problem. */

import type { Solution, SurrogateProblem } from '../options/surrogate.js';
import { isProduct } from '../problem/accuracy-model.js';
import { searchAccuracyTable } from './accuracy-table-search.js';
import { searchAdditive } from './additive-search.js';
import { withoutDominated } from './undominated-options.js';

/** Solves a surrogate problem: the best choice, or none. */
export function solve(problem: SurrogateProblem): Solution {
  return searchLean(withoutDominated(problem));
}

/** Solves a problem that `withoutDominated` has been through: the answer is the same without, only later. */
export function searchLean(lean: SurrogateProblem): Solution {
  return isProduct(lean.accuracy) ? searchAdditive(lean) : searchAccuracyTable(lean);
}
