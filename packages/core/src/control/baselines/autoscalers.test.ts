import { describe, expect, it } from 'vitest';
import { inputOf, observed, replicas, twoStages } from './baselines.test-support.js';
import { queueAutoscaler } from './queue-autoscaler.js';
import { StabilizedWish, scaledReplicas, utilizationAutoscaler } from './utilization-autoscaler.js';

const roomy = inputOf({ spec: { ...twoStages, budget: {} }, sampleArrivalsPerSecond: [7, 7, 7] });

describe('rule of the Horizontal Pod Autoscaler', () => {
  it.each([
    { replicas: 4, ratio: 1.5, wanted: 6 },
    { replicas: 4, ratio: 1.1, wanted: 4 },
    { replicas: 4, ratio: 0.9, wanted: 4 },
    { replicas: 4, ratio: 0.5, wanted: 2 },
    { replicas: 3, ratio: 0.5, wanted: 2 },
    // At most twice the replicas or four more.
    { replicas: 1, ratio: 40, wanted: 5 },
    { replicas: 10, ratio: 40, wanted: 20 },
  ])('$replicas replicas at $ratio times the target become $wanted', ({ replicas: present, ratio, wanted }) => {
    expect(scaledReplicas(present, ratio)).toBe(wanted);
  });

  it('remembers the largest wish for five minutes', () => {
    const wish = new StabilizedWish();
    expect([wish.largest(0, 5), wish.largest(299_000, 2), wish.largest(300_000, 2)]).toEqual([5, 5, 2]);
  });
});

describe('utilization autoscaler', () => {
  it('begins with replicas for the first rate at its target', () => {
    // 7 rps at 70 %: one replica of 10 rps, one of 20 rps.
    expect(replicas(utilizationAutoscaler.begin(roomy).first)).toEqual([1, 1]);
  });

  it('scales up at once, and down only after five quiet minutes', () => {
    const observer = utilizationAutoscaler.begin(roomy);
    const at = (atMs: number, busyFraction: number, readyReplicas: number) =>
      replicas(observer.decide(observed(atMs, { busyFraction, readyReplicas })));
    expect(at(15_000, 1, 1)).toEqual([2, 2]);
    expect(at(30_000, 0.2, 2)).toEqual([2, 2]);
    expect(at(300_000, 0.2, 2)).toEqual([2, 2]);
    expect(at(330_000, 0.2, 2)).toEqual([1, 1]);
  });

  it('stays within the budget', () => {
    const observer = utilizationAutoscaler.begin(inputOf({ spec: { ...twoStages, budget: { cpuCores: 3 } } }));
    const scaled = replicas(observer.decide(observed(15_000, { busyFraction: 1, readyReplicas: 5 })));
    expect(scaled.reduce<number>((sum, n) => sum + (n ?? 0), 0)).toBe(3);
  });
});

describe('queue autoscaler', () => {
  it('wants one replica for each full batch that waits or runs', () => {
    const observer = queueAutoscaler.begin(roomy);
    // 7 items: batches of 2 at detect, of 4 at classify.
    expect(replicas(observer.decide(observed(15_000, { queueLength: 5, inFlightItems: 2 })))).toEqual([4, 2]);
    expect(replicas(observer.decide(observed(30_000, {})))).toEqual([4, 2]);
    expect(replicas(observer.decide(observed(400_000, {})))).toEqual([1, 1]);
  });
});
