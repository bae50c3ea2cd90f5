import type { Plan } from '@equipoise/core/model';
import type { ChangeBounds } from '@equipoise/core/serve';
import type { KubeObject, ObjectRef } from '../api/kube-object.js';
import type { InferencePipeline, ObservedPod } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import type { Sides } from '../observe/side-counts.js';

/** `children` are all objects with the pipeline's label. */
export interface ObservedPipeline {
  readonly pipeline: InferencePipeline;
  readonly children: readonly KubeObject[];
  readonly pods: readonly ObservedPod[];
  /** Missing if signals are stale. */
  readonly observed?: InferencePipelineStatus['observed'] | undefined;
  /** Outcomes since the last canary step; missing if a signal is stale. */
  readonly sides?: Sides;
  /** In ms; missing if no side is stale, or without a watch. */
  readonly staleMs?: number;
  /** Why plans do not follow the load. */
  readonly issue?: ControlIssue | undefined;
}

export interface ControlIssue {
  readonly reason: 'RouterUnreachable' | 'PlanningFailed';
  readonly message: string;
}

/** `objects` are those of the plan. */
export type Planning =
  | { readonly kind: 'invalid'; readonly message: string }
  | { readonly kind: 'off' }
  | {
      readonly kind: 'unplanned';
      readonly reason: 'Infeasible' | 'ProfilesMissing' | 'Failed' | 'Pending';
      readonly message: string;
    }
  | {
      readonly kind: 'planned';
      readonly mode: 'auto' | 'advise';
      readonly plan: Plan;
      readonly plannedAtEpochMs: number;
      readonly arrivalRps: number;
      /** Why the best plan misses the SLO. */
      readonly shortfall?: string | undefined;
      readonly objects: readonly KubeObject[];
      readonly bounds: ChangeBounds;
      /** Requests may run twice, so a canary is allowed. */
      readonly mayRepeat: boolean;
    };

/**
 * Progress of a plan. `preparing`: its stages start. `sharing`: both plans serve for lack of headroom. `no-room`: no step is possible.
 * `shifting`: a canary is active. `taken-back`: it was rolled back. `switching`: the router is replaced. `ending`: a deleted pipeline drains.
 */
export type Phase =
  | 'idle'
  | 'preparing'
  | 'sharing'
  | 'no-room'
  | 'shifting'
  | 'taken-back'
  | 'switching'
  | 'settled'
  | 'ending';

/** In order: finalizer, apply, remove. The status is always written. */
export interface Reconciliation {
  readonly phase: Phase;
  /** Missing if the finalizer is right. */
  readonly finalizer?: 'set' | 'take-off' | undefined;
  readonly apply: readonly KubeObject[];
  readonly remove: readonly ObjectRef[];
  readonly againAfterMs?: number | undefined;
  readonly awaitsVerdict?: boolean | undefined;
  readonly status: InferencePipelineStatus;
}
