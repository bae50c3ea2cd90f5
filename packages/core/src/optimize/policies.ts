import { fa2High, fa2Low } from './baselines/fa2.js';
import { ipa } from './baselines/ipa.js';
import { rim } from './baselines/rim.js';
import { staticBest, staticCheapest } from './baselines/static-policies.js';
import { optimize } from './optimize.js';
import type { Policy } from './planning-problem.js';

export const policies = {
  equipoise: optimize,
  ipa,
  'fa2-low': fa2Low,
  'fa2-high': fa2High,
  rim,
  'static-cheapest': staticCheapest,
  'static-best': staticBest,
} as const satisfies Readonly<Record<string, Policy>>;

export type PolicyName = keyof typeof policies;
