/** Simulates a segment: recorded arrivals and the served plan. */
import { type PipelineSpec, SeededRng } from '@equipoise/core/model';
import type { ServiceCurves } from '@equipoise/core/plan';
import { simulatePlan } from '@equipoise/core/simulate';
import { planOf } from './combinations.js';
import type { SimulatedServiceTimes } from './service-times.js';
import type { End } from './slice-figures.js';

/** Curves of the server's policies, and independent service times. */
export interface SimulatedBy {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly serviceTimes?: () => SimulatedServiceTimes;
}

/** Ends for one seed. Arrivals are relative to the first, ascending. */
export function simulateSegment(by: SimulatedBy, arrivedAtMs: readonly number[], seed: number): readonly End[] {
  const ends: End[] = [];
  let next = 0;
  simulatePlan({
    spec: by.spec,
    curves: by.curves,
    plan: planOf(by.spec),
    ...(by.serviceTimes && { serviceTimes: by.serviceTimes() }),
    arrivals: { nextAtMs: () => arrivedAtMs[next++] },
    rng: new SeededRng(seed),
    hostCores: 1,
    drops: true,
    onEnd: (end) => ends.push(end),
  });
  return ends;
}
