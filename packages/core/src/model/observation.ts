/** Builds all observations, of served pipelines, clusters and simulations. */
import type { Observation, StageObservation } from './decision.js';
import type { StageId } from './ids.js';
import type { DwellTracker } from './running-plan.js';

export interface ObservationInput extends Omit<Observation, 'stages' | 'staleSources'> {
  readonly stages: Iterable<Omit<StageObservation, 'variantSinceMs'> & { readonly id: StageId }>;
  readonly dwell: DwellTracker;
  readonly staleSources?: readonly string[];
}

export function buildObservation({ stages, dwell, staleSources = [], ...facts }: ObservationInput): Observation {
  const observed: Record<StageId, StageObservation> = {};
  for (const { id, queueLength, droppedTotal } of stages) {
    const variantSinceMs = dwell.sinceMs(id);
    observed[id] = { queueLength, droppedTotal, ...(variantSinceMs !== undefined && { variantSinceMs }) };
  }
  return { ...facts, stages: observed, staleSources };
}
