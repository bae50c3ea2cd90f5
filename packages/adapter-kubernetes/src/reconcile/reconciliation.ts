/** What a reconciliation is given and what it gives, as plain data. */
import type { Plan } from '@equipoise/core/model';
import type { ChangeBounds } from '@equipoise/core/serve';
import type { KubeObject, ObjectRef } from '../api/kube-object.js';
import type { InferencePipeline, ObservedPod } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import type { Sides } from '../observe/side-counts.js';

/** All that was seen of a pipeline; `children` are the objects that carry its label, the Deployments among them. */
export interface ObservedPipeline {
  readonly pipeline: InferencePipeline;
  readonly children: readonly KubeObject[];
  readonly pods: readonly ObservedPod[];
  /** What the router measured over its last window; missing when it was not heard. */
  readonly observed?: NonNullable<InferencePipelineStatus['observed']>;
  /** What the routers of both sides of a shift have ended since its last step; missing while one of them is not heard. */
  readonly sides?: Sides;
  /** How long nothing has been heard of a side (ms), by whoever listens; missing where both are heard, and where nobody listens. */
  readonly staleMs?: number;
  /** What keeps the load from being followed; the last good plan is kept. */
  readonly issue?: ControlIssue;
}

/** Why plans do not follow the load at the moment. */
export interface ControlIssue {
  readonly reason: 'RouterUnreachable' | 'PlanningFailed';
  readonly message: string;
}

/** What was decided about a pipeline. `objects` are those of the plan, rendered. */
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
      /** What it was made for. */
      readonly arrivalRps: number;
      /** Why it does not meet the SLO, where it is but the best that there is. */
      readonly shortfall?: string;
      readonly objects: readonly KubeObject[];
      /** What replicas may hold on the way to the plan. */
      readonly bounds: ChangeBounds;
      /** Whether requests may come to the plan in steps, on which some of them run twice. */
      readonly mayRepeat: boolean;
    };

/**
 * How far the objects of a plan are in force: its stages start (`preparing`), old and new replicas serve beside each other because there is
 * no room for all of both (`sharing`), nothing leads on within the room (`no-room`), a share of the requests goes to the new ones
 * (`shifting`), the router is switched; or the plan failed lately and waits (`taken-back`); `ending` while a deleted pipeline is drained.
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

/** What is to be done, in this order: the finalizer, apply, remove; `status` is written in any case. */
export interface Reconciliation {
  readonly phase: Phase;
  /** Whether our finalizer is to be set on the pipeline or taken off; missing where it is as it should be. */
  readonly finalizer?: 'set' | 'take-off';
  readonly apply: readonly KubeObject[];
  readonly remove: readonly ObjectRef[];
  /** When to decide again although nothing may have changed. */
  readonly againAfterMs?: number;
  /** Nothing but the verdict on a share of the requests is waited for, which comes within a minute. */
  readonly awaitsVerdict?: true;
  readonly status: InferencePipelineStatus;
}
