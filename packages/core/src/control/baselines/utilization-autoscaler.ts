/**
 * Autoscaler by utilization, like the Horizontal Pod Autoscaler of Kubernetes (autoscaling/v2) with its defaults. Every
 * 15 s, it wants ⌈ready replicas · utilization ÷ target⌉ replicas, and ignores 10 % around the target of 70 %. A step at
 * most doubles the replicas, or adds four. It scales down to the largest wish of the last 300 s.
 *
 * Leaves out: metrics of pods that start (they count as idle in Kubernetes), missing metrics and the delay of the
 * metrics server. Utilization is the busy fraction of replicas. Variant, cores and batch size are set by hand.
 */
import { withinBudget } from './budget-share.js';
import { handConfiguration, replicasFor, stagesOf, withinBounds } from './hand-configuration.js';
import type { ObservingPolicy } from './observing-policy.js';

const INTERVAL_MS = 15_000;
const TARGET = 0.7;
const TOLERANCE = 0.1;
const STABILIZATION_MS = 300_000;

/** Replicas that the rule of the Horizontal Pod Autoscaler wants. `ratio`: metric ÷ target. */
export function scaledReplicas(replicas: number, ratio: number): number {
  if (Math.abs(ratio - 1) <= TOLERANCE + 1e-9) return replicas;
  return Math.min(Math.ceil(replicas * ratio - 1e-9), Math.max(2 * replicas, replicas + 4));
}

/** Largest wish of the last `STABILIZATION_MS`, so that a short quiet time removes no replicas. */
export class StabilizedWish {
  #wishes: readonly { readonly atMs: number; readonly replicas: number }[] = [];

  largest(atMs: number, replicas: number): number {
    this.#wishes = [...this.#wishes.filter((wish) => wish.atMs > atMs - STABILIZATION_MS), { atMs, replicas }];
    return Math.max(...this.#wishes.map((wish) => wish.replicas));
  }
}

export const utilizationAutoscaler: ObservingPolicy = {
  intervalMs: INTERVAL_MS,
  begin({ spec, curves, sampleArrivalsPerSecond }) {
    const configurations = handConfiguration(spec, curves);
    const wishes = configurations.map(() => new StabilizedWish());
    let present = withinBudget(
      spec,
      configurations,
      configurations.map((each) => replicasFor(each, meanOf(sampleArrivalsPerSecond.slice(0, 10)), TARGET)),
    );
    return {
      first: stagesOf(configurations, present),
      decide({ atMs, stages }) {
        const wanted = configurations.map(({ stage }, i) => {
          const { busyFraction = 0, readyReplicas = 1 } = stages[stage.id] ?? {};
          const live = present[i] ?? 1;
          const wish = scaledReplicas(Math.max(1, readyReplicas), busyFraction / TARGET);
          const stable = wishes[i]?.largest(atMs, withinBounds(stage, wish)) ?? wish;
          // Scales down to the largest recent wish, and up to the wish of now.
          return wish > live ? withinBounds(stage, wish) : Math.min(live, stable);
        });
        present = withinBudget(spec, configurations, wanted);
        return stagesOf(configurations, present);
      },
    };
  },
};

export const meanOf = (counts: readonly number[]): number =>
  counts.length === 0 ? 0 : counts.reduce((sum, count) => sum + count, 0) / counts.length;
