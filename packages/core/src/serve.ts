/** Entry `@equipoise/core/serve`: policies of a request: admission, queues, batches, replicas, graph walk. */
export type { BatchPolicy } from './serve/batch-policy.js';
export { eventRank } from './serve/event-rank.js';
export { mayComeOfPlan, tooManyItems } from './serve/fan-out-bound.js';
export { type ChangeBounds, changeBounds } from './serve/fleet/change-room.js';
export { defaultFleetLimits, type FleetEffects, type FleetLimits } from './serve/fleet/fleet-effects.js';
export { FleetScheduler } from './serve/fleet/fleet-scheduler.js';
export { GraphWalk, type PayloadAlgebra } from './serve/graph-walk.js';
export { PipelineScheduler } from './serve/pipeline-scheduler.js';
export { ServingReplica } from './serve/replica.js';
export type { TroubleCounts } from './serve/replica-health.js';
export { type Arrival, type MissingPart, RequestState, StageItem } from './serve/request-state.js';
export type { SchedulerLimits, ServingEffects } from './serve/serving-effects.js';
export { type ServingEdge, type ServingGraph, type ServingStage, servingGraph } from './serve/serving-graph.js';
export { type RateLimit, TokenBucket } from './serve/token-bucket.js';
export type { Scope } from './serve/waiting-parts.js';
