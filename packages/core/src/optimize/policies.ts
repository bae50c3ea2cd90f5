/** Every policy by the name that the command line and the experiments use. */
import { staticBest } from './baselines/static-best.js';
import { staticCheapest } from './baselines/static-cheapest.js';
import { optimize } from './optimize.js';
import type { Policy } from './planning-problem.js';

/** Ways to plan: the planner itself and what it is compared with. */
export const policies = {
  equipoise: optimize,
  'static-cheapest': staticCheapest,
  'static-best': staticBest,
} as const satisfies Readonly<Record<string, Policy>>;

/** A name of `policies`. */
export type PolicyName = keyof typeof policies;
