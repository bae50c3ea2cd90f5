import { stageNamed } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { runningPods } from './running-pods.js';

const pod = (name: string, over: object = {}, status: object = {}) => ({
  metadata: { name, labels: { 'equipoise.dev/stage': 'detect', 'equipoise.dev/variant': 'small' }, ...over },
  spec: { containers: [{ resources: { requests: { cpu: '250m' } } }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], ...status },
});

it('reads pods as replicas with their state, and leaves out routers', () => {
  const pods = [
    pod('a'),
    pod('b', {}, { conditions: [] }),
    pod('c', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    pod('d', {}, { phase: 'Failed' }),
    { ...pod('e'), spec: { containers: [{ resources: { requests: { cpu: '1.5' } } }, {}] } },
    { metadata: { name: 'router', labels: { 'equipoise.dev/part': 'router' } } },
  ];
  const { stages } = runningPods({ stages: [stageNamed('detect', []), stageNamed('classify', [])] }, pods);
  const [detect, classify] = Object.values(stages);
  expect(detect?.replicas.map(({ replicaId, status, resources }) => [replicaId, status, resources.cpuCores])).toEqual([
    ['a', 'ready', 0.25],
    ['b', 'starting', 0.25],
    ['c', 'draining', 0.25],
    ['d', 'failed', 0.25],
    ['e', 'ready', 1.5],
  ]);
  expect(detect?.replicas[0]?.variantId).toBe('small');
  expect(classify?.replicas).toEqual([]);
});
