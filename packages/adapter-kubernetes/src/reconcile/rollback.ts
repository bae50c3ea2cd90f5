/** Failed canary, recorded only in the status. It blocks its workloads until the back-off ends or the spec changes. */
import { backOffAfter, holdsBack, isBurning, standingBackOff } from '@equipoise/core/serve';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import type { ObservedPipeline } from './reconciliation.js';

export type Rollback = NonNullable<InferencePipelineStatus['rollback']>;

export type CanaryFailure = Pick<Rollback, 'workloads' | 'fraction' | 'message' | 'generation'>;

/** End of the back-off in ms since the epoch; undefined if there is none. */
export function heldUntilMs(
  { metadata, status }: InferencePipeline,
  workloads: readonly string[],
  nowEpochMs: number,
): number | undefined {
  const record = status?.rollback;
  if (record === undefined || record.generation !== metadata.generation) return undefined;
  if (!record.workloads.some((name) => workloads.includes(name))) return undefined;
  const backOff = backOffOf(record);
  return holdsBack(backOff, nowEpochMs) ? backOff.untilMs : undefined;
}

/** Next record. The current record stays until its failures expire. */
export function nextRollback(
  { metadata, status }: InferencePipeline,
  failure: CanaryFailure | undefined,
  nowEpochMs: number,
): Rollback | undefined {
  const before = status?.rollback;
  const stands =
    before !== undefined && before.generation === metadata.generation && standingBackOff(backOffOf(before), nowEpochMs);
  if (failure === undefined) return stands ? before : undefined;
  const { failures, untilMs } = backOffAfter(nowEpochMs, stands ? backOffOf(before) : undefined);
  return { ...failure, failures, at: timeText(nowEpochMs), until: timeText(untilMs) };
}

/** True if the running plan burns the error budget too fast for a canary. */
export function isUrgent(observed: ObservedPipeline['observed']): boolean {
  if (observed?.sloAttainmentFraction === undefined) return false;
  const ended = Math.round(60 * observed.arrivalRps);
  return isBurning({ ended, missed: ended * (1 - observed.sloAttainmentFraction) }, observed.percentile);
}

const backOffOf = ({ until, failures }: Rollback) => ({ untilMs: Date.parse(until), failures });

const timeText = (epochMs: number): string => new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
