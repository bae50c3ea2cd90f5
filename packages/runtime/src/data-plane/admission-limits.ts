import { type AdmissionSpec, defaultPriorities, type PrioritySpec } from '@equipoise/core/model';
import type { SchedulerLimits } from '@equipoise/core/serve';

/** The priorities of a pipeline, or the default ones. */
export function prioritiesOf({ priorities = defaultPriorities }: AdmissionSpec): PrioritySpec {
  return priorities;
}

/** Bounds on waiting requests; requests that can no longer be in time are dropped. */
export function limitsOf(admission: AdmissionSpec): Omit<SchedulerLimits, 'hostCores' | 'watchReplicas'> {
  const { maxQueueLength, maxWaitFraction, answerMarginMs } = admission;
  const priorityShares = prioritiesOf(admission).shares;
  return { maxQueueLength, maxWaitFraction, answerMarginMs, dropLate: true, priorityShares };
}
