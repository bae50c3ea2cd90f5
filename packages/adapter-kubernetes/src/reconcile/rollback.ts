/**
 * What is remembered of a shift that failed, in the status: nothing else on a cluster shows it. It is left alone for a back-off, that of a
 * change which core's policy takes back, or until the spec of the pipeline changes.
 */
import { backOffAfter, holdsBack, isBurning, standingBackOff } from '@equipoise/core/serve';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import type { ObservedPipeline } from './reconciliation.js';

/** The record of a shift that failed. */
export type Rollback = NonNullable<InferencePipelineStatus['rollback']>;

/** Why a shift failed. */
export type CanaryFailure = Pick<Rollback, 'workloads' | 'fraction' | 'message' | 'generation'>;

/** Until when what these workloads belong to is left alone (ms since the epoch); undefined where it need not be. */
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

/** The record for the next status: of a new failure, or the one that stands; undefined where there is none. */
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

/** Whether what serves burns the error budget, so that a change away from it cannot wait. */
export function isUrgent(observed: ObservedPipeline['observed']): boolean {
  if (observed?.sloAttainmentFraction === undefined) return false;
  const ended = Math.round(60 * observed.arrivalRps);
  return isBurning({ ended, missed: ended * (1 - observed.sloAttainmentFraction) }, observed.percentile);
}

const backOffOf = ({ until, failures }: Rollback) => ({ untilMs: Date.parse(until), failures });

const timeText = (epochMs: number): string => new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
