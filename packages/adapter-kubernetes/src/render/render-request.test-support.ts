/** Pipelines and plans to render. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PipelineSpec, Plan, ProfileSet, StagePlan } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import type { RenderTarget } from './engines/targets.js';
import type { RenderRequest } from './render-request.js';

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));

/** Stages of all kinds: code, MLServer, profile with and without GPU, external server. */
export const EVERY_KIND = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: shelf }
spec:
  slo: { latencyMs: 400 }
  sources: [{ name: image, datatype: UINT8, shape: [-1], contentTypes: [image/png], samples: ./samples }]
  stages:
    - name: detect
      module: ./stages/detect.ts
      runTimeoutMs: 3000
      variants:
        - name: small
          artifact: s3://models/detect-small.onnx
          accuracy: { value: 0.61, metric: f1 }
          loadMs: 900
          resources: { cpuCores: [0.5, 1], memoryBytes: 200000000 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 24 }, { cpuCores: 1, batchSize: 4, meanMs: 60 }]
    - name: classify
      variants:
        - name: forest
          artifact: ./models/forest
          accuracy: { value: 0.78 }
          resources: { cpuCores: 2, memoryBytes: 800000000 }
          profile: [{ cpuCores: 2, batchSize: 8, meanMs: 30 }]
          server:
            command: [.venv/bin/mlserver, start, ./models/forest]
            environment: { MLSERVER_HTTP_PORT: '{port}', MLSERVER_GRPC_PORT: '{port2}', MLSERVER_METRICS_PORT: '{port3}' }
            url: 'http://127.0.0.1:{port}'
            model: forest
    - name: embed
      variants:
        - name: cpu
          accuracy: { value: 0.7 }
          resources: { cpuCores: 4 }
          profile: [{ cpuCores: 4, batchSize: 1, meanMs: 40 }]
        - name: gpu
          accuracy: { value: 0.9 }
          resources: { cpuCores: 1, gpus: 1, memoryBytes: 4000000000 }
          profile: [{ cpuCores: 1, batchSize: 16, meanMs: 12 }]
    - name: rank
      variants:
        - name: far
          accuracy: { value: 0.8 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }]
          server: { url: 'https://models.example.org', model: rank, token: { env: RANK_TOKEN } }
`;

/** The same pipeline with a placement of the pipeline, of a stage and of a variant. */
export const PLACED = EVERY_KIND.replace(
  'spec:\n',
  `spec:
  placement:
    nodeSelector: { pool: serving }
    imagePullSecrets: [{ name: registry }]
    priorityClassName: serving
    labels: { team: vision }
`,
)
  .replace(
    '      runTimeoutMs: 3000\n',
    `      runTimeoutMs: 3000
      placement:
        nodeSelector: { disk: ssd }
        annotations: { example.com/owner: vision }
        topologySpreadConstraints:
          - { maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule }
          - { maxSkew: 2, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: { matchLabels: { team: vision } } }
        volumes: [{ name: models, persistentVolumeClaim: { claimName: models, readOnly: true } }]
        volumeMounts: [{ name: models, mountPath: /models, readOnly: true }]
        resources: { example.com/npu: 2 }
`,
  )
  .replace(
    'gpus: 1, memoryBytes: 4000000000 }\n',
    `gpus: 1, memoryBytes: 4000000000 }
          placement:
            nodeSelector: { pool: gpu }
            runtimeClassName: nvidia
            tolerations: [{ key: dedicated, operator: Exists, effect: NoSchedule }]
            affinity:
              podAntiAffinity:
                preferredDuringSchedulingIgnoredDuringExecution:
                  - { weight: 10, podAffinityTerm: { topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app: batch } } } }
`,
  );

export function specOf(text: string): PipelineSpec {
  const read = parsePipelineFile(text, { fileName: 'pipeline.yaml', baseDir: REPOSITORY });
  if (read.kind === 'invalid') throw new Error(JSON.stringify(read.problems));
  return read.spec;
}

/** Spec of a pipeline file of the repository, with profiles where it has none. */
export function exampleOf(path: string): { readonly spec: PipelineSpec; readonly profiles: ProfileSet } {
  const text = readFileSync(join(REPOSITORY, path), 'utf8').replace(/^ {2}accuracyTable: .*$/m, '');
  const spec = specOf(text);
  const profiles = spec.stages.flatMap(({ id, variants }) =>
    variants.map((variant) => ({
      ...{ stageId: id, variantId: variant.id, loadMs: 500 },
      points: variant.profile ?? [{ cpuCores: 1, batchSize: 1, meanMs: 2, p99Ms: 3 }],
    })),
  );
  return { spec, profiles };
}

/** Plan of the first (or named) variant of each stage with its first core count. */
export function planFor(spec: PipelineSpec, variants: Readonly<Record<string, string>> = {}): Pick<Plan, 'stages'> {
  const stages = spec.stages.map((stage, index) => {
    const variant = stage.variants.find(({ id }) => id === variants[stage.id]) ?? stage.variants[0];
    if (variant === undefined) throw new Error(`${stage.id} has no variant`);
    const { cpuCores, memoryBytes, gpus } = variant;
    const resources = { cpuCores: cpuCores[0] ?? 1, memoryBytes, gpus };
    const maxBatchSize = variant.profile?.at(-1)?.batchSize ?? 1;
    const plan: StagePlan = {
      ...{ variantId: variant.id, resources, maxBatchSize, maxBatchWaitMs: 0 },
      ...{ replicas: index + 1, trafficFraction: 1 },
    };
    return [stage.id, [plan]] as const;
  });
  return { stages: Object.fromEntries(stages) };
}

/** A rendering of a pipeline for a target. */
export function requestFor(
  target: RenderTarget,
  { spec, ...more }: Partial<RenderRequest> & Pick<RenderRequest, 'spec'>,
): RenderRequest {
  return {
    ...{ spec, target, plan: planFor(spec), profiles: [] },
    images: { pipeline: 'registry.example.org/shelf:1', byVariant: {} },
    artifactBase: 's3://models/shelf',
    ...more,
  };
}
