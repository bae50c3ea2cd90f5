import { parsePipelineFile } from '@equipoise/pipeline-file';
import { describe, expect, it } from 'vitest';
import { labelsOf } from '../cluster/object-names.js';
import type { ObservedPod } from '../cluster/observed-objects.js';
import { planWith, shelf } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { podsAsRunning } from './followed-pipeline.js';

const pipeline = shelf();
const { spec: document, metadata, apiVersion, kind } = pipeline;
const parsed = parsePipelineFile(
  JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name }, spec: document }),
  { fileName: 'shelf', baseDir: '/' },
);
if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
const { spec } = parsed;

const pod = (name: string, variant: string, over: Partial<ObservedPod['status']> & { deleted?: true } = {}) => {
  const { deleted, ...status } = over;
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: {
      ...{ name, labels: labelsOf('shelf', { kind: 'stage', stage: 'detect', variant }) },
      ...(deleted && { deletionTimestamp: '2026-06-01T12:00:00Z' }),
    },
    status,
  } as ObservedPod;
};
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
const crashing = { containerStatuses: [{ name: 'stage', state: { waiting: { reason: 'CrashLoopBackOff' } } }] };

describe('podsAsRunning', () => {
  it('reads the state of each replica from its pod', () => {
    const pods = [
      pod('a', 'small', ready),
      pod('b', 'small'),
      pod('c', 'large', crashing),
      pod('d', 'large', { ...ready, deleted: true }),
      pod('e', 'unknown', ready),
    ];
    const { stages } = podsAsRunning({ spec, view: { pipeline, pods }, plan: planWith('small', 2, 4) });
    const [detect, classify] = Object.values(stages);
    expect(detect?.replicas.map(({ replicaId, variantId, status }) => `${replicaId} ${variantId} ${status}`)).toEqual([
      'a small ready',
      'b small starting',
      'c large failed',
      'd large draining',
    ]);
    expect(detect).toMatchObject({ maxBatchSize: 4, replicas: [{ resources: { cpuCores: 1 } }, {}, {}, {}] });
    expect(classify).toMatchObject({ replicas: [] });
  });

  it('takes an engine without pods of ours to run the plan once its objects are ready', () => {
    const plan = planWith('large', 3);
    const statusOf = (status: 'True' | 'False') => {
      const condition = { type: 'Ready', status, reason: 'r', message: '', lastTransitionTime: '' } as const;
      const of = { ...pipeline, status: { conditions: [condition] } };
      const [detect] = Object.values(podsAsRunning({ spec, view: { pipeline: of, pods: [] }, plan }).stages);
      return detect?.replicas.map(({ status: each }) => each);
    };
    expect(statusOf('False')).toEqual(['starting', 'starting', 'starting']);
    expect(statusOf('True')).toEqual(['ready', 'ready', 'ready']);
  });
});
