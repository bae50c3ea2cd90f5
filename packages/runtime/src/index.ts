/** Public face of the runtime: what the composition root may use. */
export * from './data-plane/alarm-clock.js';
export * from './data-plane/payload-algebra.js';
export type { PipelineOutcome } from './data-plane/pending-request.js';
export * from './data-plane/pipeline-runner.js';
export * from './data-plane/request-statistics.js';
export type { BatchSizeCounts, StageCounts } from './data-plane/stage-statistics.js';
