/** Input and output of a reconciliation, as plain data. */
import type { Plan } from '@equipoise/core/model';
import type { ChangeBounds } from '@equipoise/core/serve';
import type { KubeObject, ObjectRef } from '../api/kube-object.js';
import type { InferencePipeline, ObservedPod } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import type { Sides } from '../observe/side-counts.js';

/** Observations of a pipeline; `children` are all objects with its label. */
export interface ObservedPipeline {
  readonly pipeline: InferencePipeline;
  readonly children: readonly KubeObject[];
  readonly pods: readonly ObservedPod[];
  /** Measurements of the last window; missing if signals are stale. */
  readonly observed?: InferencePipelineStatus['observed'] | undefined;
  /** Outcomes on both sides of a canary since its last step; missing if a signal is stale. */
  readonly sides?: Sides;
  /** Time (ms) that a side has been stale; missing if none is, or without a watch. */
  readonly staleMs?: number;
  /** Why plans do not follow the load; the last good plan stays. */
  readonly issue?: ControlIssue | undefined;
}

export interface ControlIssue {
  readonly reason: 'RouterUnreachable' | 'PlanningFailed';
  readonly message: string;
}

/** Decision about a pipeline; `objects` are those of the plan. */
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
      /** Why it misses the SLO, if it is only the best plan. */
      readonly shortfall?: string | undefined;
      readonly objects: readonly KubeObject[];
      readonly bounds: ChangeBounds;
      /** True if requests may run twice, so that a canary is allowed. */
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

/** Work in this order: finalizer, apply, remove. The status is always written. */
export interface Reconciliation {
  readonly phase: Phase;
  /** Missing if the finalizer is right. */
  readonly finalizer?: 'set' | 'take-off' | undefined;
  readonly apply: readonly KubeObject[];
  readonly remove: readonly ObjectRef[];
  /** Repeat after this time, even without changes. */
  readonly againAfterMs?: number | undefined;
  /** Only a verdict on a canary is missing, which takes up to two minutes. */
  readonly awaitsVerdict?: boolean | undefined;
  readonly status: InferencePipelineStatus;
}
