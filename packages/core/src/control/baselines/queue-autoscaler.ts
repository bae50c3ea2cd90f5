/**
 * Autoscaler by queue length, as KEDA (2.x) with a queue trigger: replicas = ⌈items ÷ target⌉, where items wait or are in
 * progress, and the target is one full batch per replica. KEDA hands the metric to a Horizontal Pod Autoscaler, so its
 * interval (15 s), steps, tolerance and stabilization (300 s) apply.
 *
 * Leaves out: scaling to zero, its cooldown, and the polling of the queue between two steps. Variant, cores and batch
 * size are set by hand.
 */
import { withinBudget } from './budget-share.js';
import { handConfiguration, replicasFor, stagesOf, withinBounds } from './hand-configuration.js';
import type { ObservingPolicy } from './observing-policy.js';
import { meanOf, StabilizedWish, scaledReplicas } from './utilization-autoscaler.js';

const INTERVAL_MS = 15_000;

export const queueAutoscaler: ObservingPolicy = {
  intervalMs: INTERVAL_MS,
  begin({ spec, curves, sampleArrivalsPerSecond }) {
    const configurations = handConfiguration(spec, curves);
    const wishes = configurations.map(() => new StabilizedWish());
    let present = withinBudget(
      spec,
      configurations,
      configurations.map((each) => replicasFor(each, meanOf(sampleArrivalsPerSecond.slice(0, 10)))),
    );
    return {
      first: stagesOf(configurations, present),
      decide({ atMs, stages }) {
        const wanted = configurations.map(({ stage, maxBatchSize }, i) => {
          const { queueLength = 0, inFlightItems = 0 } = stages[stage.id] ?? {};
          const live = present[i] ?? 1;
          const wish = withinBounds(stage, scaledReplicas(live, (queueLength + inFlightItems) / (maxBatchSize * live)));
          const stable = wishes[i]?.largest(atMs, wish) ?? wish;
          return wish > live ? wish : Math.min(live, stable);
        });
        present = withinBudget(spec, configurations, wanted);
        return stagesOf(configurations, present);
      },
    };
  },
};
