import type { StageId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';
import type { RunningReplica } from '../../model/running-plan.js';
import type { SideCount } from '../../model/side-count.js';
import type { CanaryRules } from '../rollout/canary.js';
import type { ChangeBounds } from '../rollout/headroom.js';

/** Effects of the fleet, implemented once per clock. */
export interface FleetEffects {
  /** Begins to start a replica; answered by `started` or `startFailed`. */
  start(stageId: StageId, replica: RunningReplica): void;
  /** Puts a started replica in service. */
  serve(stageId: StageId, replica: RunningReplica): void;
  /** Puts the batching and drop rule of `to` in force. */
  adopt(stageId: StageId, to: StagePlan): void;
  /** Takes a replica out of service after its batch, and closes it; answered by `left`. */
  drain(stageId: StageId, replica: RunningReplica): void;
  /** Closes a started replica that is no longer wanted; answered by `left`. */
  discard(stageId: StageId, replica: RunningReplica): void;
  /** Opens a canary of `to`: replicas of its variant that enter service belong to it until it is closed. */
  openCanary(stageId: StageId, to: StagePlan): void;
  /** Sets the canary's fraction of the requests of its stage. */
  shareCanary(stageId: StageId, fraction: number): void;
  /** Outcomes of both sides since the canary got its first requests. */
  canaryCounts(stageId: StageId): { readonly before: SideCount; readonly after: SideCount };
  /** Closes a canary: its replicas that are not drained serve like all others. */
  closeCanary(stageId: StageId): void;
  /** A restart without a waiting change has failed; there will be another. */
  restartFailed(stageId: StageId, failure: unknown): void;
}

/** End of a change; a preempted one may still come about. */
export type ChangeEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'gave-way' }
  | { readonly kind: 'failed'; readonly failure: unknown };

/**
 * Bounds of the fleet. `startConcurrency` is the number of parallel starts, `drainPatienceMs` the time that a change
 * waits for a drain.
 */
export interface FleetLimits extends ChangeBounds {
  readonly startConcurrency: number;
  readonly drainPatienceMs: number;
  /** Default no canaries. */
  readonly canary?: CanaryRules | undefined;
}

/** Default limits. */
export const defaultFleetLimits = { startConcurrency: 2, drainPatienceMs: 30_000 } as const;
