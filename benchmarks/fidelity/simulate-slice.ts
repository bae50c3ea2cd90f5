/** The simulation of a segment: the recorded instants of arrival and the plan that served. */
import { type PipelineSpec, SeededRng } from '@equipoise/core/model';
import type { ServiceCurves } from '@equipoise/core/plan';
import { type SimulatedServiceTimes, simulatePlan } from '@equipoise/core/simulate';
import { planOf } from './combinations.js';
import type { End } from './slice-figures.js';

/** What a simulation is made from: the curves that the server's policies go by, and service times that are not drawn from them. */
export interface SimulatedBy {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly serviceTimes?: () => SimulatedServiceTimes;
}

/** The ends by one seed; instants of arrival from the first one on, ascending. */
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
