export { boundedApi, RequestSlots } from './api/bounded-api.js';
export { fencedApi } from './api/fenced-api.js';
export { HttpKubeApi } from './api/http/http-kube-api.js';
export { type KubeConfigSource, kubeConnection } from './api/http/kube-connection.js';
export type { PodAccount } from './api/http/pod-account.js';
export type { KubeApi } from './api/kube-api.js';
export type { KubeObject } from './api/kube-object.js';
export { toYaml } from './api/to-yaml.js';
export { LeaseElector } from './cluster/lease-elector.js';
export { labelValue } from './cluster/object-names.js';
export { childTypes, type InferencePipeline, pipelines } from './cluster/observed-objects.js';
export { leaderOf, type PipelineLeader } from './cluster/pipeline-leader.js';
export { ServerContact } from './cluster/server-contact.js';
export { ShardedElection } from './cluster/sharded-election.js';
export { type ShardSet, shardOf } from './cluster/shards.js';
export {
  applyObjects,
  type DeploymentDiff,
  deployedObjects,
  deployedPods,
  deploymentDiff,
  type ObjectName,
  removeObjects,
} from './deploy/deployed-pipeline.js';
export { pipelineConditions, type WorkloadState, workloadStates } from './deploy/deployment-state.js';
export type { FieldDifference } from './deploy/object-differences.js';
export { type PipelineRun, runOnce } from './deploy/one-run.js';
export { Operator } from './deploy/operator.js';
export { accessThrough, askRouter, directAccess, type RouterAccess } from './observe/ask-router.js';
export { type CpuPolicy, usualCpuPolicy, withCpuPolicy } from './plan/cpu-policy.js';
export { type FollowedPipeline, podsAsRunning } from './plan/followed-pipeline.js';
export { FollowedPlans } from './plan/followed-plans.js';
export type { NetworkQuestion, NetworkTimes } from './plan/network-times.js';
export { annotationsOf, imagesNamedBy } from './plan/pipeline-annotations.js';
export type { PipelinePlanner, PlannerAnswer } from './plan/pipeline-planner.js';
export { engineFor } from './render/engine.js';
export type { EngineLimits } from './render/engines/engine-limits.js';
export type { RenderTarget } from './render/engines/targets.js';
export { pipelineObject } from './render/pipeline-object.js';
export { checkImages, type Images } from './render/render-request.js';
