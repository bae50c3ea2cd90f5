import { describe, expect, it } from 'vitest';
import { labelsOf } from '../cluster/object-names.js';
import type { ObservedPod } from '../cluster/observed-objects.js';
import { PodStarts } from './pod-starts.js';

const at = (second: number): string => new Date(1000 * second).toISOString().replace('.000Z', 'Z');
const spec = { stages: [{ id: 'Detect_1', variants: [{ id: 'small' }, { id: 'large' }] }] } as unknown as Parameters<
  PodStarts['take']
>[0];
const detect = { stageId: 'Detect_1', variantId: 'large' };

interface Times {
  readonly scheduledS: number;
  readonly readyS?: number;
  /** False for a pod that was ready before. */
  readonly isReady?: boolean;
}

function pod(name: string, part: Parameters<typeof labelsOf>[1], times: Times): ObservedPod {
  const { scheduledS, readyS, isReady = readyS !== undefined } = times;
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: at(scheduledS) };
  const ready = { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: at(readyS ?? scheduledS) };
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name, uid: name, labels: labelsOf('shelf', part), creationTimestamp: at(0) },
    status: { conditions: [scheduled, ready] },
  };
}
const stagePod = (name: string, times: Times, variant = 'large') =>
  pod(name, { kind: 'stage', stage: 'Detect_1', variant }, times);
const router = (name: string, times: Times) => pod(name, { kind: 'router' }, times);

describe('PodStarts', () => {
  it('are from the time that a pod of a stage has a node until it is ready', () => {
    const starts = new PodStarts();
    starts.note([stagePod('a', { scheduledS: 100 }), router('r', { scheduledS: 100 })]);
    expect(starts.take(spec)).toEqual([]);
    starts.note([stagePod('a', { scheduledS: 100, readyS: 120 }), router('r', { scheduledS: 100, readyS: 124 })]);
    expect(starts.take(spec)).toEqual([{ ...detect, startMs: [20_000], atOnce: 1 }]);
    expect(starts.take(spec)).toEqual([]);
  });

  it('are one for each pod, also if it is ready again later, on any router', () => {
    const starts = new PodStarts();
    const second = pod(
      'b',
      { kind: 'stage', stage: 'Detect_1', variant: 'large', router: 1 },
      { scheduledS: 200, readyS: 210 },
    );
    starts.note([stagePod('a', { scheduledS: 100, readyS: 120 })]);
    starts.note([stagePod('a', { scheduledS: 100, readyS: 400, isReady: false })]);
    starts.note([stagePod('a', { scheduledS: 100, readyS: 500 }), second]);
    expect(starts.take(spec).map(({ startMs }) => startMs)).toEqual([[20_000], [10_000]]);
  });

  it('count the pods of the variant that start at once', () => {
    const starts = new PodStarts();
    const others = [stagePod('b', { scheduledS: 100 }), stagePod('c', { scheduledS: 100 }, 'small')];
    starts.note([stagePod('a', { scheduledS: 100, readyS: 103 }), ...others]);
    expect(starts.take(spec)).toEqual([{ ...detect, startMs: [3000], atOnce: 2 }]);
  });

  it('leave out stages and variants that the pipeline no longer has, and pods without times', () => {
    const starts = new PodStarts();
    const untimed = stagePod('b', { scheduledS: 100, readyS: 103 });
    starts.note([
      stagePod('a', { scheduledS: 100, readyS: 103 }, 'gone'),
      { ...untimed, status: { conditions: [{ type: 'Ready', status: 'True' }] } },
    ]);
    expect(starts.take(spec)).toEqual([]);
  });
});
