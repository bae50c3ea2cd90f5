import type { Policy } from '../planning-problem.js';
import { planFrozen } from './frozen-variants.js';

/**
 * The most accurate variant of every stage (of equals the one of least cost per item), with the cheapest replicas that serve the rate
 * within the SLO; where the budget cannot carry the rate, the plan of largest capacity is the best effort.
 */

/** Policy `static-best`. */
export const staticBest: Policy = (problem, verify) =>
  planFrozen(problem, (a, b) => b.accuracy - a.accuracy || a.costPerItemRps - b.costPerItemRps, verify);

/**
 * The cheapest variant of every stage (least cost per item), with the cheapest replicas that serve the rate within the SLO; where the
 * budget cannot carry the rate, the plan of largest capacity is the best effort.
 */

/** Policy `static-cheapest`. */
export const staticCheapest: Policy = (problem, verify) =>
  planFrozen(problem, (a, b) => a.costPerItemRps - b.costPerItemRps || b.accuracy - a.accuracy, verify);
