/** Every policy by the name that the command line and the experiments use. */
import { fa2High } from './baselines/fa2-high.js';
import { fa2Low } from './baselines/fa2-low.js';
import { ipa } from './baselines/ipa.js';
import { rim } from './baselines/rim.js';
import { staticBest } from './baselines/static-best.js';
import { staticCheapest } from './baselines/static-cheapest.js';
import { optimize } from './optimize.js';
import type { Policy } from './planning-problem.js';

/** Ways to plan: the planner itself and what it is compared with. */
export const policies = {
  equipoise: optimize,
  ipa,
  'fa2-low': fa2Low,
  'fa2-high': fa2High,
  rim,
  'static-cheapest': staticCheapest,
  'static-best': staticBest,
} as const satisfies Readonly<Record<string, Policy>>;

/** A name of `policies`. */
export type PolicyName = keyof typeof policies;
