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
  readonly createdS: number;
  readonly initializedS?: number;
  readonly readyS?: number;
  /** False for a pod that was ready before. */
  readonly isReady?: boolean;
}

function pod(name: string, part: Parameters<typeof labelsOf>[1], times: Times): ObservedPod {
  const { createdS, initializedS = createdS, readyS, isReady = readyS !== undefined } = times;
  const ready = { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: at(readyS ?? createdS) };
  const initialized = { type: 'Initialized', status: 'True', lastTransitionTime: at(initializedS) };
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name, uid: name, labels: labelsOf('shelf', part), creationTimestamp: at(createdS) },
    status: { conditions: [initialized, ready] },
  };
}
const stagePod = (name: string, times: Times, variant = 'large') =>
  pod(name, { kind: 'stage', stage: 'Detect_1', variant }, times);
const router = (name: string, times: Times) => pod(name, { kind: 'router' }, times);

describe('PodStarts', () => {
  it('are from the creation of a pod until it is ready, and the last start of a router after its stages', () => {
    const starts = new PodStarts();
    starts.note([stagePod('a', { createdS: 100, readyS: 120 }), router('r', { createdS: 100 })]);
    expect(starts.take(spec)).toEqual([]);
    starts.note([
      stagePod('a', { createdS: 100, readyS: 120 }),
      router('r', { createdS: 100, initializedS: 121, readyS: 124 }),
    ]);
    expect(starts.take(spec)).toEqual([{ ...detect, startMs: [23_000], atOnce: 1 }]);
    expect(starts.take(spec)).toEqual([]);
  });

  it('are one for each pod, also if it is ready again later, on any router', () => {
    const starts = new PodStarts();
    const ready = router('r', { createdS: 0, readyS: 1 });
    const second = pod(
      'b',
      { kind: 'stage', stage: 'Detect_1', variant: 'large', router: 1 },
      { createdS: 200, readyS: 210 },
    );
    starts.note([ready, stagePod('a', { createdS: 100, readyS: 120 })]);
    starts.note([ready, stagePod('a', { createdS: 100, readyS: 400, isReady: false })]);
    starts.note([ready, stagePod('a', { createdS: 100, readyS: 500 }), second]);
    expect(starts.take(spec).map(({ startMs }) => startMs)).toEqual([[21_000], [11_000]]);
  });

  it('count the pods of the variant that start at once', () => {
    const starts = new PodStarts();
    const others = [stagePod('b', { createdS: 100 }), stagePod('c', { createdS: 100 }, 'small')];
    starts.note([router('r', { createdS: 0, readyS: 1 }), stagePod('a', { createdS: 100, readyS: 103 }), ...others]);
    expect(starts.take(spec)).toEqual([{ ...detect, startMs: [4000], atOnce: 2 }]);
  });

  it('leave out stages and variants that the pipeline no longer has, and pods without times', () => {
    const starts = new PodStarts();
    const untimed = stagePod('b', { createdS: 100, readyS: 103 });
    starts.note([
      router('r', { createdS: 0, readyS: 1 }),
      stagePod('a', { createdS: 100, readyS: 103 }, 'gone'),
      { ...untimed, status: { conditions: [{ type: 'Ready', status: 'True' }] } },
    ]);
    expect(starts.take(spec)).toEqual([]);
  });
});
