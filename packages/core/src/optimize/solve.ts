/** Chooses the solver for a surrogate problem. */
import { searchAdditive } from './additive-search.js';
import { searchCombinations } from './combination-search.js';
import type { Solution } from './solution.js';
import type { SurrogateProblem } from './surrogate.js';

/** Solves a surrogate problem: the best choice, or none. */
export const solve = (problem: SurrogateProblem): Solution =>
  problem.accuracy.additive ? searchAdditive(problem) : searchCombinations(problem);
