/** The simulation of a slice: the recorded instants of arrival, the plan that served, several seeds of service times. */
import { type PipelineSpec, SeededRng, type ServiceCurves, simulatePlan } from '@equipoise/core';
import { planOf } from './combinations.js';

const SEEDS = 5;

/** Ends of requests in one timeline: instants from the first arrival on, ascending by end; a dropped one has no latency. */
export interface Ends {
  readonly endedAtMs: readonly number[];
  readonly latencyMs: readonly (number | undefined)[];
}

/** The ends by each seed. */
export function simulateSlice(
  spec: PipelineSpec,
  curves: ServiceCurves,
  arrivedAtMs: readonly number[],
): readonly Ends[] {
  return Array.from({ length: SEEDS }, (_, seed) => {
    const endedAtMs: number[] = [];
    const latencyMs: (number | undefined)[] = [];
    let next = 0;
    simulatePlan({
      spec,
      curves,
      plan: planOf(spec),
      arrivals: { nextAtMs: () => arrivedAtMs[next++] },
      rng: new SeededRng(seed + 1),
      hostCores: 1,
      drops: true,
      onEnd: (end) => {
        endedAtMs.push(end.endedAtMs);
        latencyMs.push(end.latencyMs);
      },
    });
    return { endedAtMs, latencyMs };
  });
}
