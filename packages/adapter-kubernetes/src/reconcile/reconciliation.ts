import type { Plan } from '@equipoise/core/model';
import type { ChangeBounds } from '@equipoise/core/serve';
import type { KubeObject, ObjectRef } from '../api/kube-object.js';
import type { InferencePipeline, ObservedPod } from '../cluster/observed-objects.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import type { AutoscalerNames } from '../observe/autoscalers.js';
import type { PipelineMesh } from '../observe/mesh.js';
import type { NodeCondition } from '../observe/node-watch.js';
import type { Sides } from '../observe/side-counts.js';
import type { RenderTarget } from '../render/engines/targets.js';

/** Observed state of a pipeline; `children` are all objects with its label. */
export interface ObservedPipeline {
  readonly pipeline: InferencePipeline;
  readonly children: readonly KubeObject[];
  readonly pods: readonly ObservedPod[];
  /** Pods that have ended; default none. */
  readonly ended?: readonly ObservedPod[];
  /** Bad conditions of the nodes that carry its pods; missing if nodes are not watched. */
  readonly nodeConditions?: readonly NodeCondition[];
  /** Missing if signals are stale. */
  readonly observed?: InferencePipelineStatus['observed'] | undefined;
  /** Outcomes since the last canary step; missing if a signal is stale. */
  readonly sides?: Sides;
  /** Time (ms) with stale signals; missing if none is stale, or without a watch. */
  readonly staleMs?: number;
  /** True if another operator writes this pipeline, too. */
  readonly hasOverlap?: boolean;
  /** Writes of its objects that the server refused. */
  readonly refusals?: readonly ChildRefusal[];
  /** Autoscalers by Deployment; missing if they are unknown. */
  readonly autoscalers?: AutoscalerNames | undefined;
  /** Missing outside a service mesh; its objects are among the children. */
  readonly mesh?: Pick<PipelineMesh, 'means'> | undefined;
  /** True while the plan is that of an earlier spec. */
  readonly isReplanning?: boolean;
  /** Reason why plans do not follow the load. */
  readonly issue?: ControlIssue | undefined;
}

/** Refused write of an object. `NameTaken`: an object of others has its name. */
export interface ChildRefusal {
  readonly kind: string;
  readonly name: string;
  readonly reason: 'NameTaken' | 'ApplyFailed';
  readonly message: string;
}

export interface ControlIssue {
  readonly reason: 'RouterUnreachable' | 'MetricsMissing' | 'PlanningFailed' | 'ProfileOff';
  readonly message: string;
}

/** Result of planning; `objects` are the objects of the plan. */
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
      /** Plan of all routers. */
      readonly plan: Plan;
      readonly target: RenderTarget;
      readonly plannedAtEpochMs: number;
      readonly arrivalRps: number;
      /** Reason why the best plan misses the SLO. */
      readonly shortfall?: string | undefined;
      readonly objects: readonly KubeObject[];
      readonly bounds: ChangeBounds;
      /** False if the user has turned canaries off, or a stage may not run an item twice. */
      readonly allowsCanary: boolean;
    };

/**
 * Progress of a plan. `preparing`: its stages start. `sharing`: headroom is short, so both plans serve. `no-room`: no
 * step is possible. `shifting`: a canary is active. `taken-back`: the plan was rolled back. `switching`: the router is
 * replaced. `ending`: a deleted pipeline drains.
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

/** Writes of a pass, in this order: finalizer set, apply, remove, status, finalizer taken off. */
export interface Reconciliation {
  readonly phase: Phase;
  /** Change of the finalizer; missing if it is right. */
  readonly finalizer?: 'set' | 'take-off' | undefined;
  readonly apply: readonly KubeObject[];
  readonly remove: readonly ObjectRef[];
  readonly againAfterMs?: number | undefined;
  readonly awaitsVerdict?: boolean | undefined;
  readonly status: InferencePipelineStatus;
}
