/**
 * A fixed plan: hand configuration, with replicas for the busiest second of the sample. It never changes. This is the
 * static provisioning for the peak to which publications compare themselves, per stage instead of per pipeline.
 */
import { withinBudget } from './budget-share.js';
import { handConfiguration, replicasFor, stagesOf } from './hand-configuration.js';
import type { ObservingPolicy } from './observing-policy.js';

export const staticPeak: ObservingPolicy = {
  intervalMs: 60_000,
  begin({ spec, curves, sampleArrivalsPerSecond }) {
    const configurations = handConfiguration(spec, curves);
    const peakRps = Math.max(0, ...sampleArrivalsPerSecond);
    const wanted = configurations.map((each) => replicasFor(each, peakRps));
    return { first: stagesOf(configurations, withinBudget(spec, configurations, wanted)), decide: () => undefined };
  },
};
