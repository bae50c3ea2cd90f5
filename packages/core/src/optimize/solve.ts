/** Chooses the solver for a surrogate problem. */
import { searchAdditive } from './additive-search.js';
import { searchCombinations } from './combination-search.js';
import type { Solution } from './solution.js';
import type { SurrogateProblem } from './surrogate.js';
import { withoutDominated } from './undominated-options.js';

/** Solves a surrogate problem: the best choice, or none. */
export function solve(problem: SurrogateProblem): Solution {
  const lean = withoutDominated(problem);
  return lean.accuracy.additive ? searchAdditive(lean) : searchCombinations(lean);
}
