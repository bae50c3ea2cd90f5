/** What the request policies need of the admission of a pipeline. */
import { type AdmissionSpec, defaultPriorities, type PrioritySpec } from '@equipoise/core/model';
import type { SchedulerLimits } from '@equipoise/core/serve';

/** The priorities of a pipeline, the usual ones where it states none. */
export function prioritiesOf({ priorities = defaultPriorities }: AdmissionSpec): PrioritySpec {
  return priorities;
}

/** Bounds on what waits; who can no longer be in time is dropped. */
export function limitsOf(admission: AdmissionSpec): Omit<SchedulerLimits, 'hostCores' | 'watchReplicas'> {
  const { maxQueueLength, maxWaitFraction, answerMarginMs } = admission;
  const priorityShares = prioritiesOf(admission).shares;
  return { maxQueueLength, maxWaitFraction, answerMarginMs, dropLate: true, priorityShares };
}
