import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadPipelineFile } from './load-pipeline-file.js';
import { parsePipelineFile } from './parse-pipeline-file.js';
import { toDocument } from './to-document.js';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const EXAMPLES = join(REPOSITORY, 'examples');
const origin = { fileName: 'pipeline.yaml', baseDir: REPOSITORY };

const EVERY_FIELD = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: every-field }
spec:
  slo: { latencyMs: 900, percentile: 99.5 }
  budget: { cpuCores: 12, memoryBytes: 4000000000, gpus: 1, costPerHour: 20 }
  prices: { cpuCorePerHour: 0.04, memoryGibPerHour: 0.005, gpuPerHour: 1.2 }
  objective: min-cost
  accuracyFloor: 0.5
  robustness: { serviceFactor: 1.3 }
  placement: { nodeSelector: { pool: serving }, tolerations: [{ key: spot }], imagePullSecrets: [{ name: registry }] }
  sources:
    - name: request
      to: [a]
      tensors:
        - { name: image, datatype: UINT8, shape: [-1], contentTypes: [image/png] }
        - { name: limit, datatype: INT32, shape: [1] }
        - { name: at, datatype: INT64, shape: [1] }
      key: limit
      time: at
      samples: ./samples
    - name: scan
      to: [a]
      tensors: [{ name: scan, datatype: UINT8, shape: [-1] }, { name: scanned, datatype: FP64, shape: [1] }]
      samples: ./scans
      onMissing: partial
      share: 0.6
      time: scanned
    - { name: light, to: [a], tensors: [{ name: light, datatype: FP64, shape: [1] }], samples: ./light, latest: { maxAgeMs: 60000 }, time: light }
  sourceJoin: { maxWaitMs: 250, maxWaiting: 7, by: key, windowMs: 40, late: wait }
  stages:
    - name: a
      kind: transform
      module: ./a.py
      python: .venv/bin/python
      isolation: process
      runTimeoutMs: 3000
      idempotent: false
      placement: { volumes: [{ name: disk, emptyDir: {} }], volumeMounts: [{ name: disk, mountPath: /disk }] }
      bounds: { replicas: { min: 1, max: 4 }, batchSizes: [1, 4], maxBatchWaitMs: 5, cpuCores: [0.5, 1] }
      pins: { variant: v, cpuCores: 0.5, maxBatchSize: 4, replicas: 2 }
      variants:
        - name: v
          version: '3'
          artifact: ./v.bin
          artifactSha256: ${'ab'.repeat(32)}
          resources: { cpuCores: [0.5, 1, 2], memoryBytes: 100000000, gpus: 0 }
          loadMs: 1500
          placement: { resources: { example.com/npu: 1 }, affinity: { nodeAffinity: {} }, runtimeClassName: fast }
          parameters: { deep: { list: [1, two] } }
    - name: b
      pins: { threshold: 0.75 }
      variants:
        - name: cpu
          accuracy: { value: 0.7, metric: f1 }
          server:
            command: [mlserver, start, ./b]
            environment: { MLSERVER_HTTP_PORT: '{port}' }
            url: 'http://127.0.0.1:{port}'
            model: b
            batching: single
        - name: far
          accuracy: { value: 0.8 }
          server: { url: ['grpc://one:1', 'grpc://two:1'], model: b, token: { env: B_TOKEN }, headers: { route: b } }
    - name: c
      pins: { quorum: 2 }
      variants:
        - { name: only, accuracy: { value: 0.9 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 5, p99Ms: 8 }] }
    - { name: mean, combine: { method: weighted, tensor: score, output: average, weights: { c: 2, d: 1 } } }
    - { name: sure, combine: { method: first-confident, tensor: counts, confidence: p, atLeast: 0.5 } }
    - { name: d, optional: true, shadow: { variant: other, fraction: 0.2, cpuCores: 2, metric: box-f1, output: boxes, iou: 0.6, boxClasses: kinds, boxScores: scores }, variants: [{ name: other, accuracy: { value: 0.95 }, resources: { cpuCores: [1, 2] }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 9 }] }, { name: only, accuracy: { value: 0.9 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }] }] }
  edges:
    - { from: a, to: b, fanOut: { expected: 1, distribution: [0.25, 0.5, 0.25] } }
    - from: b
      to: c
      join: all
      onMissing: partial
      when: { condition: 'threshold < 1.0', threshold: [0.5, 0.75], probability: { cpu: [0.25, 0.3], far: [0.5, 0.6] } }
      inputs:
        - { name: label }
        - { name: text, from: caption }
        - { name: photo, from: source.image }
        - { name: threshold, constant: { datatype: FP32, shape: [1, 2], data: [0.5, 1] } }
    - { from: b, to: d, join: all }
    - { from: c, to: mean, join: { quorum: [1, 2] } }
    - { from: d, to: mean, join: { quorum: [1, 2] } }
    - { from: c, to: sure }
    - { from: d, to: sure }
  outputs: [{ from: c, tensors: [counts], types: [{ name: counts, datatype: INT32, shape: [-1, 2] }] }]
  control: { mode: advise, intervalMs: 5000, fastIntervalMs: 250, minDwellMs: 1000, surge: { cpuCores: 2, maxSeconds: 90 } }
  admission: { maxQueueLength: 50, maxWaitFraction: 0.5, maxInFlightBytes: 1000000, priorities: { shares: [0.5, 0.1], default: 2 } }
  evaluation: { module: ./evaluate.ts, data: ./data, metric: top-k, output: counts, classes: [a, b], k: 1 }
  accuracyTable: { combinations: [{ variants: { b: cpu at 0.5, c: only with quorum 2, d: omitted }, accuracy: 0.66, confidence95: [0.6, 0.7], samples: 100, measured: true }], agreements: [{ stage: d, variant: only, shadow: other, agreement: 0.9, confidence95: [0.8, 0.95], items: 70 }], shares: [{ from: b, to: c, variant: cpu at 0.5, upstream: { a: v }, outputs: 30, probability: 0.4 }] }
`;

/** Another test compares the generated page with its generator. */
const PAGE = readFileSync(join(REPOSITORY, 'docs/reference/pipeline-file.md'), 'utf8');
const [, EXAMPLE_PIPELINE = ''] = /```yaml\n([^`]+)```/.exec(PAGE) ?? [];

const WEIGHTS = EXAMPLE_PIPELINE.replace(
  'objective: max-accuracy',
  'objective: { weights: { accuracy: 2, cost: 1, batch: 0 } }',
);

describe('the document of a spec', () => {
  it.each([
    ['the example of the reference page', EXAMPLE_PIPELINE],
    ['every field', EVERY_FIELD],
    ['weights', WEIGHTS],
  ])('is read back as the same spec: %s', (_, text) => {
    const read = parsePipelineFile(text, origin);
    if (read.kind === 'invalid') throw new Error(JSON.stringify(read.problems));
    const again = parsePipelineFile(JSON.stringify(toDocument(read.spec)), origin);
    expect(again).toEqual({ kind: 'valid', spec: read.spec, warnings: read.warnings.map(() => expect.anything()) });
  });

  it.each(readdirSync(EXAMPLES))('is read back as the same spec: examples/%s', async (name) => {
    const read = await loadPipelineFile(join(EXAMPLES, name, 'pipeline.yaml'));
    if (read.kind === 'invalid') throw new Error(JSON.stringify(read.problems));
    const again = parsePipelineFile(JSON.stringify(toDocument(read.spec)), { ...origin, baseDir: read.spec.baseDir });
    expect(again).toMatchObject({ kind: 'valid', spec: read.spec });
  });
});
