import { inferline } from './inferline.js';
import type { ObservingPolicy } from './observing-policy.js';
import { proteus } from './proteus.js';
import { queueAutoscaler } from './queue-autoscaler.js';
import { staticPeak } from './static-peak.js';
import { utilizationAutoscaler } from './utilization-autoscaler.js';

export const observingPolicies = {
  'inferline-like': inferline,
  'proteus-like': proteus,
  'utilization-autoscaler': utilizationAutoscaler,
  'queue-autoscaler': queueAutoscaler,
  'static-peak': staticPeak,
} as const satisfies Readonly<Record<string, ObservingPolicy>>;

export type ObservingPolicyName = keyof typeof observingPolicies;
