/** Three stages in a row on MLServer, for an engine that walks the graph itself. */
import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';
import type { InferencePipeline } from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import { VARIANTS, WIDTH } from './mlserver-pipeline.js';

export const THEIRS = 'layered';
export const THEIR_STAGES = ['first', 'second', 'third'] as const;
export const THEIR_SLO_MS = 1_000;
/** Limit of each replica. One request costs MLServer about 2.3 ms of a core. */
export const REPLICA_CPU_CORES = 0.1;
/** All limits together: the budget, and the surge of one replica. */
export const LIMIT_CPU_CORES = 1.2;

const BUDGET_CPU_CORES = 1.1;

export type TheirVariant = (typeof VARIANTS)[number];

/** Name of a model in the image, and the end of its address. */
export const modelName = (stage: string, variant: string): string => `${stage}-${variant}`;

/** Layers by variant. */
export const LAYERS: Readonly<Record<TheirVariant, number>> = { small: 2, large: 40 };

/** Measured on a whole core; a replica has a tenth of one. */
const PROFILE = [{ cpuCores: 1, batchSize: 1, meanMs: 2.4, p99Ms: 5 }];

const variantOf = (stage: string, name: TheirVariant) => ({
  ...{ name, accuracy: { value: name === 'large' ? 0.8 : 0.6, metric: 'top1' }, loadMs: 40_000, profile: PROFILE },
  artifact: `s3://models/${modelName(stage, name)}`,
  resources: { cpuCores: REPLICA_CPU_CORES, memoryBytes: 300_000_000 },
  server: { command: ['mlserver', 'start', '.'], url: 'http://127.0.0.1:{port}', model: modelName(stage, name) },
});

export interface TheirChoice {
  readonly variant: TheirVariant;
  readonly canary: boolean;
}

/** The custom resource with one variant for all stages. */
export function theirPipeline(namespace: string, { variant, canary }: TheirChoice): InferencePipeline {
  const annotations = { 'equipoise.dev/target': 'seldon-v2:theirs', 'equipoise.dev/arrival-rps': '5' };
  return {
    apiVersion: API_VERSION,
    kind: PIPELINE_KIND,
    metadata: { name: THEIRS, namespace, annotations },
    spec: {
      slo: { latencyMs: THEIR_SLO_MS, percentile: 99 },
      budget: { cpuCores: BUDGET_CPU_CORES },
      // The quota of a replica stops it for up to 90 ms, and other work delays it.
      ...{ objective: 'min-cost', accuracyFloor: 0.1, robustness: { serviceFactor: 1.4 } },
      control: { mode: 'auto', canary },
      sources: [{ name: 'x', datatype: 'FP32', shape: [1, WIDTH] }],
      stages: THEIR_STAGES.map((name) => ({
        ...{ name, kind: 'model', pins: { variant }, bounds: { batchSizes: [1], replicas: { min: 1, max: 3 } } },
        variants: VARIANTS.map((each) => variantOf(name, each)),
      })),
    },
  };
}
