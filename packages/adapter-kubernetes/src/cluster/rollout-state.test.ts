import { expect, it } from 'vitest';
import { lacksNode } from './rollout-state.js';

it.each([
  [true, 'Unschedulable', '0/1 nodes are available: 1 Insufficient cpu.'],
  [true, 'Unschedulable', '0/2 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint {a: b}.'],
  [false, 'Unschedulable', '0/1 nodes are available: 1 node(s) had untolerated taint {a: b}.'],
  [false, 'Unschedulable', undefined],
  [false, 'SchedulingGated', '1 Insufficient cpu'],
])('a pod lacks the resources of a node: %s, if it is %s because "%s"', (expected, reason, message) => {
  const placed = { type: 'PodScheduled', status: 'False', reason, ...(message !== undefined && { message }) };
  const metadata = { name: 'pod', namespace: 'n' };
  expect(lacksNode({ apiVersion: 'v1', kind: 'Pod', metadata, status: { conditions: [placed] } })).toBe(expected);
});
