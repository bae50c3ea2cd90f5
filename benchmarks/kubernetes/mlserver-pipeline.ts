/** Two stages in a row on MLServer, each with a small and a large variant, and plans for them. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plan, type StagePlan, stageId, variantId } from '@equipoise/core/model';
import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';
import type { InferencePipeline } from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';

const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
export const installed = process.env['EQUIPOISE_REAL_CLIENTS_DIR'] ?? join(cache, 'equipoise', 'real-clients');

/** MLServer in its own Python environment. */
export const mlserver = {
  name: 'real-clients',
  missing: 'scripts/real-clients/install',
  isPresent: () => existsSync(join(installed, 'installed')),
};

export const PIPELINE = 'layered';
export const STAGES = ['first', 'second'] as const;
export const VARIANTS = ['small', 'large'] as const;
export const WIDTH = 64;
export const SLO_MS = 1_000;

export interface StageChoice {
  readonly variant: (typeof VARIANTS)[number];
  readonly replicas: number;
  readonly maxBatchSize: number;
}

export type Choices = Readonly<Record<(typeof STAGES)[number], StageChoice>>;

const resources = { cpuCores: 0.5, memoryBytes: 300_000_000 };

const variant = (name: (typeof VARIANTS)[number], accuracy: number) => ({
  ...{ name, accuracy: { value: accuracy, metric: 'top1' }, resources, loadMs: 4_000 },
  profile: [1, 2, 4].map((batchSize) => ({ cpuCores: 0.5, batchSize, meanMs: 10 + 2 * batchSize })),
  server: {
    command: ['.venv/bin/mlserver', 'start', `./models/${name}`],
    environment: {
      MLSERVER_HTTP_PORT: '{port}',
      MLSERVER_GRPC_PORT: '{port2}',
      MLSERVER_METRICS_PORT: '{port3}',
      // The workers of MLServer 1.7.1 do not start under uvloop.
      MLSERVER_PARALLEL_WORKERS: '0',
      PYTHONPATH: '/pipeline',
      OMP_NUM_THREADS: '1',
      OPENBLAS_NUM_THREADS: '1',
    },
    url: 'http://127.0.0.1:{port}',
    model: 'layers',
  },
});

/** The custom resource; `budgetCpuCores` bounds its replicas. */
export function layered(namespace: string, budgetCpuCores: number): InferencePipeline {
  return {
    apiVersion: API_VERSION,
    kind: PIPELINE_KIND,
    metadata: { name: PIPELINE, namespace },
    spec: {
      slo: { latencyMs: SLO_MS, percentile: 99 },
      budget: { cpuCores: budgetCpuCores },
      control: { mode: 'auto' },
      sources: [{ name: 'x', datatype: 'FP32', shape: [WIDTH] }],
      stages: STAGES.map((name) => ({ name, kind: 'model', variants: [variant('small', 0.6), variant('large', 0.8)] })),
    },
  };
}

export function planOf(choices: Choices): Plan {
  const stages = STAGES.map((stage) => {
    const { variant: name, ...rest } = choices[stage];
    const plan: StagePlan = {
      ...{ variantId: variantId(name), resources: { ...resources, gpus: 0 }, ...rest },
      ...{ maxBatchWaitMs: 0, trafficFraction: 1 },
    };
    return [stageId(stage), [plan]] as const;
  });
  const cpuCores = STAGES.reduce((sum, stage) => sum + resources.cpuCores * choices[stage].replicas, 0);
  const pas = STAGES.reduce((product, stage) => product * (choices[stage].variant === 'large' ? 0.8 : 0.6), 1);
  const predicted = { latencyMs: 50, percentile: 99, pas, capacityRps: 50, cpuCores, costPerHour: cpuCores };
  return { stages: Object.fromEntries(stages), predicted };
}

/** The folder of an image, and a folder for the state of pods. */
export function podFolders(): {
  readonly root: string;
  readonly pipeline: string;
  readonly state: string;
  readonly names: string;
} {
  const root = mkdtempSync(join(tmpdir(), 'equipoise-pods-'));
  const [pipeline, state] = [join(root, 'pipeline'), join(root, 'pods')];
  cpSync(fileURLToPath(new URL('mlserver', import.meta.url)), pipeline, { recursive: true });
  mkdirSync(state);
  symlinkSync(installed, join(pipeline, '.venv'));
  return { root, pipeline, state, names: join(root, 'names.json') };
}
