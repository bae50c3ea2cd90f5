import type { Solution, SurrogateProblem } from '../options/surrogate.js';
import { isProduct } from '../problem/accuracy-model.js';
import { searchAccuracyTable } from './accuracy-table-search.js';
import { searchAdditive } from './additive-search.js';
import { undominatedOptions } from './undominated-options.js';

export function solve(problem: SurrogateProblem): Solution {
  return solveUndominated(undominatedOptions(problem));
}

/** Solves a problem that `undominatedOptions` has reduced. */
export function solveUndominated(lean: SurrogateProblem): Solution {
  return isProduct(lean.accuracy) ? searchAdditive(lean) : searchAccuracyTable(lean);
}
