import { stageId, variantId } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import { describe, expect, it } from 'vitest';
import { pipelineObject } from './pipeline-object.js';

const text = `# as it was written
apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: shelf }
spec:
  slo: { latencyMs: 300 } # of the shop
  stages:
    - name: detect
      module: ./detect.js
      variants:
        - name: small
          accuracy: { value: 0.6 }
        - name: large
          accuracy: { value: 0.8 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }]
`;

function specOf(file: string) {
  const parsed = parsePipelineFile(file, { fileName: 'shelf', baseDir: '/' });
  if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
  return parsed.spec;
}

const point = { cpuCores: 1, batchSize: 2, meanMs: 12, p50Ms: 11, p95Ms: 14, p99Ms: 15, throughputRps: 160 };
const profiles = ['small', 'large', 'gone'].map((variant) => ({
  ...{ stageId: stageId('detect'), variantId: variantId(variant), loadMs: 40 },
  points: [{ ...point, samplesMs: [11, 12, 13] }],
}));

describe('pipelineObject', () => {
  it('is the file, with what was measured below each variant that there is', () => {
    const { object, text: printed } = pipelineObject(text, { spec: specOf(text), profiles }, { annotations: {} });
    expect(printed).toMatch(/^# as it was written\n/);
    expect(printed).toContain('# of the shop');
    const [stage] = specOf(printed).stages;
    expect(stage?.variants.map(({ profile, loadMs }) => ({ profile, loadMs }))).toEqual([
      { profile: [point], loadMs: 40 },
      { profile: [point], loadMs: 40 },
    ]);
    expect(object).toMatchObject({ metadata: { name: 'shelf' }, spec: { slo: { latencyMs: 300 } } });
    expect(JSON.stringify(object)).not.toContain('samplesMs');
  });

  it('is in a namespace and says more where that is asked for', () => {
    const annotations = { 'equipoise.dev/arrival-rps': '40' };
    const placed = { namespace: 'models', annotations };
    expect(pipelineObject(text, { spec: specOf(text), profiles: [] }, placed).object).toMatchObject({
      metadata: { name: 'shelf', ...placed },
    });
  });
});
