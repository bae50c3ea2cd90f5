import type { CanaryCounts } from '../../model/canary-counts.js';
import type { StageId, VariantId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';
import type { RunningReplica } from '../../model/running-plan.js';
import type { CanaryRules } from '../rollout/canary.js';
import type { ChangeBounds } from '../rollout/headroom.js';

/**
 * Canary event, for logs: a step with its fraction of the requests, or the end. `ended` means without a verdict, for
 * example after a failed start.
 */
export interface CanaryNews {
  readonly variantId: VariantId;
  readonly state: 'step' | 'passed' | 'rolled-back' | 'ended';
  readonly fraction: number;
  readonly why?: string;
}

/** Effects of the fleet, implemented once per clock. */
export interface FleetEffects {
  /** Starts a replica; answered by `started` or `startFailed`. */
  start(stageId: StageId, replica: RunningReplica): void;
  serve(stageId: StageId, replica: RunningReplica): void;
  /** Puts batching and drop rule of `to` in force. */
  adopt(stageId: StageId, to: StagePlan): void;
  /** True if new requests skip the stage. A stage without replicas in its plan may still be needed by joins. */
  isSkipped(stageId: StageId): boolean;
  /** Closes a replica after its batch; answered by `left`. */
  drain(stageId: StageId, replica: RunningReplica): void;
  /** Closes a started replica that is not wanted; answered by `left`. */
  discard(stageId: StageId, replica: RunningReplica): void;
  /** Opens a canary of `to`. Until closed, the canary owns all replicas of that variant that enter service. */
  openCanary(stageId: StageId, to: StagePlan): void;
  shareCanary(stageId: StageId, fraction: number): void;
  /** Outcomes of both sides since the first request of the canary. */
  canaryCounts(stageId: StageId): CanaryCounts;
  /** The canary's remaining replicas join those of the stage. */
  closeCanary(stageId: StageId): void;
  canaryChanged(stageId: StageId, news: CanaryNews): void;
  /** Outside a running change, a start or a canary failed, or a restart lacks headroom. */
  restartFailed(stageId: StageId, failure: unknown): void;
}

/** A preempted change may still complete. */
export type ChangeEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'gave-way' }
  | { readonly kind: 'failed'; readonly failure: unknown };

/**
 * `startConcurrency` limits parallel starts. A change waits at most `drainPatienceMs` for a drain, and not at all if new
 * requests still visit the stage, because only a later change ends that.
 */
export interface FleetLimits extends ChangeBounds {
  readonly startConcurrency: number;
  readonly drainPatienceMs: number;
  /** Default: no canaries. */
  readonly canary?: CanaryRules | undefined;
}

export const defaultFleetLimits = { startConcurrency: 2, drainPatienceMs: 30_000 } as const;
