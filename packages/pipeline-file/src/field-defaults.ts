import { defaultPriorities, defaultRunTimeoutMs } from '@equipoise/core/model';

/**
 * Defaults of the schema, reference page and checks. Defaults that depend on other fields are in implied-graph.ts.
 */
export const fieldDefaults = {
  percentile: 99,
  cpuCorePerHour: 1,
  memoryGibPerHour: 0,
  gpuPerHour: 0,
  objective: 'max-accuracy',
  sourceName: 'input',
  maxSourceWaitMs: 5000,
  maxWaiting: 1000,
  stageKind: 'model',
  runTimeoutMs: defaultRunTimeoutMs,
  idempotent: true,
  optional: false,
  minReplicas: 1,
  maxReplicas: 64,
  maxBatchWaitMs: 0,
  serverBatching: 'stack',
  accuracyMetric: 'accuracy',
  cpuCores: 1,
  memoryBytes: 0,
  gpus: 0,
  controlMode: 'auto',
  intervalMs: 10_000,
  fastIntervalMs: 500,
  minDwellMs: 20_000,
  canary: true,
  maxQueueLength: 1000,
  maxWaitFraction: 0.8,
  maxInFlightBytes: 268_435_456,
  feedbackRequests: 10_000,
  feedbackMaxAgeMs: 86_400_000,
  priorityShares: defaultPriorities.shares,
  priority: defaultPriorities.default,
} as const;
