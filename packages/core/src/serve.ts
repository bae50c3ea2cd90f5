/** Entry `@equipoise/core/serve`: policies of a request: admission, queues, batches, replicas, graph walk. */
export type { BatchPolicy } from './serve/batch-policy.js';
export { eventRank } from './serve/event-rank.js';
export { mayComeOfPlan, tooManyItems } from './serve/fan-out-bound.js';
export { defaultFleetLimits, type FleetEffects, type FleetLimits } from './serve/fleet/fleet-effects.js';
export { FleetScheduler } from './serve/fleet/fleet-scheduler.js';
export { GraphWalk, type PayloadAlgebra } from './serve/graph-walk.js';
export { PipelineScheduler } from './serve/pipeline-scheduler.js';
export { ServingReplica } from './serve/replica.js';
export type { IssueCounts } from './serve/replica-health.js';
export { type Arrival, type MissingPart, RequestState, StageItem } from './serve/request-state.js';
export { type CanaryVerdict, canaryRules, isBurning, judgeCanary, nextFraction } from './serve/rollout/canary.js';
export { type ChangeBounds, changeBounds, coresDuringChange, startableReplicas } from './serve/rollout/headroom.js';
export { oldReplicasByShare, replicasByCount } from './serve/rollout/share.js';
export { backOffAfter, holdsBack, standingBackOff, TRIAL_MS } from './serve/rollout/trial.js';
export type { SchedulerLimits, ServingEffects } from './serve/serving-effects.js';
export { type ServingEdge, type ServingGraph, type ServingStage, servingGraph } from './serve/serving-graph.js';
export { type RateLimit, TokenBucket } from './serve/token-bucket.js';
export type { Scope } from './serve/waiting-parts.js';
