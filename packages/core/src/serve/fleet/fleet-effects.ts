/** What a fleet asks of whoever drives it, what it tells, and its bounds. */
import type { StageId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';
import type { RunningReplica } from '../../model/running-plan.js';
import type { SideCount } from '../../model/side-count.js';
import type { CanaryRules } from '../rollout/canary.js';
import type { ChangeBounds } from '../rollout/headroom.js';

/** What the fleet makes happen; implemented once per clock. */
export interface FleetEffects {
  /** Begin to start a replica; answered by `started` or `startFailed`. */
  start(stageId: StageId, replica: RunningReplica): void;
  /** Put a started replica in service. */
  serve(stageId: StageId, replica: RunningReplica): void;
  /** The stage serves as `to` says: its batching and drop rule are in force from now on. */
  adopt(stageId: StageId, to: StagePlan): void;
  /** Take a replica out of service once its batch is done, and close it; answered by `left`. */
  drain(stageId: StageId, replica: RunningReplica): void;
  /** Close a replica that has started and is not wanted any more; answered by `left`. */
  discard(stageId: StageId, replica: RunningReplica): void;
  /** Opens a canary of `to`: replicas of its variant that enter service are in it until it is closed. */
  openCanary(stageId: StageId, to: StagePlan): void;
  /** The canary gets this fraction of the requests of its stage. */
  shareCanary(stageId: StageId, fraction: number): void;
  /** Outcomes of both sides since the canary got its first requests. */
  canaryCounts(stageId: StageId): { readonly before: SideCount; readonly after: SideCount };
  /** Closes a canary: its replicas that are not drained serve like all others. */
  closeCanary(stageId: StageId): void;
  /** A restart, which no change waits for, has failed; there will be another. */
  restartFailed(stageId: StageId, failure: unknown): void;
}

/** How a change ended; one that gave way may still come about. */
export type ChangeEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'gave-way' }
  | { readonly kind: 'failed'; readonly failure: unknown };

/** Bounds of the fleet. `startConcurrency` counts replicas that start at a time, `drainPatienceMs` how long a change waits for a drain. */
export interface FleetLimits extends ChangeBounds {
  readonly startConcurrency: number;
  readonly drainPatienceMs: number;
  /** No canaries if left out. */
  readonly canary?: CanaryRules | undefined;
}

/** Limits that hold unless somebody says otherwise. */
export const defaultFleetLimits = { startConcurrency: 2, drainPatienceMs: 30_000 } as const;
