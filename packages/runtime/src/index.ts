/** Public face of the runtime: what the composition root may use. */
export * from './data-plane/alarm-clock.js';
export * from './data-plane/payload-algebra.js';
export type { PipelineOutcome } from './data-plane/pending-request.js';
export * from './data-plane/pipeline-runner.js';
export * from './data-plane/request-statistics.js';
export type { BatchSizeCounts, StageCounts } from './data-plane/stage-statistics.js';
export * from './loop/control-loop.js';
export * from './loop/planner.js';
export * from './loop/planning-engine.js';
export type * from './profiling/measured-profile.js';
export * from './profiling/pipeline-samples.js';
export * from './profiling/profile-cache.js';
export * from './profiling/profile-pipeline.js';
export type { ProfileProgress } from './profiling/profile-progress.js';
export * from './profiling/profile-verdict.js';
export * from './store/spec-digest.js';
export * from './store/sqlite-plan-store.js';
