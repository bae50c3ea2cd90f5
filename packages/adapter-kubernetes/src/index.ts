/** Public face of adapter-kubernetes. */
export { HttpKubeApi } from './api/http/http-kube-api.js';
export { type KubeConfigSource, type KubeConnection, kubeConnection } from './api/http/kube-connection.js';
export * from './api/kube-api.js';
export * from './api/kube-object.js';
export { LeaseElector } from './cluster/lease-elector.js';
export * from './deploy/deployed-pipeline.js';
export * from './deploy/deployment-state.js';
export type { FieldDifference } from './deploy/object-differences.js';
export type { InferencePipeline } from './operator/observed-objects.js';
export { Operator } from './operator/operator.js';
export { FollowedPlans } from './plans/followed-plans.js';
export { annotationsOf, imagesNamedBy } from './plans/pipeline-annotations.js';
export type { PipelinePlanner } from './plans/pipeline-planner.js';
export { pipelineObject } from './render/pipeline-object.js';
export { renderPlan } from './render/render-plan.js';
export * from './render/render-request.js';
export { toYaml } from './render/to-yaml.js';
export { askRouter } from './routers/ask-router.js';
