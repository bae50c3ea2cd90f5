import { describe, expect, it } from 'vitest';
import type { LoadObservation, Observation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import { stageId } from '../model/ids.js';
import type { EdgeSpec } from '../model/pipeline-spec.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { plannedLoad, rateBucketEnd } from './planned-load.js';

const chain = chainSpec({ detect: [], classify: [] });
const edges: readonly EdgeSpec[] = [{ from: stageId('detect'), to: stageId('classify'), fanOut: { expected: 3 } }];
const specAt = (latencyMs: number) => ({ ...chain, edges, slo: { latencyMs, percentile: 99 } });
const calm: LoadObservation = { arrivalsPerSecond: new Array<number>(60).fill(20) };

function bucketFor(sloMs: number, load: LoadObservation = calm, queues: readonly [number, number] = [0, 0]) {
  const stages = Object.fromEntries(
    chain.stages.map(({ id }, i) => [id, { queueLength: queues[i] ?? 0, droppedTotal: 0 }]),
  );
  const observation: Observation = { atMs: 60_000, load, stages, runningPlan: { stages: {} }, staleSources: [] };
  return plannedLoad(specAt(sloMs), {
    observation,
    forecast: { method: 'given', meanRps: 20, upperRps: 20 },
    aheadMs: 12_000,
  });
}

const loadFor = (...of: Parameters<typeof bucketFor>) => bucketFor(...of).steps.at(-1) as ExpectedLoad;

describe('plannedLoad', () => {
  it('is Poisson at the end of the bucket of the upper rate', () => {
    expect(loadFor(500)).toEqual({ arrivalRps: rateBucketEnd(20) });
    expect(rateBucketEnd(20)).toBeGreaterThan(20);
  });

  it('has steps that differ in the rate alone, one of which covers the load', () => {
    const burstiness = { sloMs: 500, dispersionAtSlo: 1.5, dispersionAt10s: 1.9 };
    for (const sloMs of [500, 2_000]) {
      const { steps, covering } = bucketFor(sloMs, { ...calm, burstiness }, [60, 0]);
      const rates = steps.map(({ arrivalRps }) => arrivalRps);
      expect(rates).toEqual([...new Set(rates)].sort((a, b) => a - b));
      expect(rates[covering]).toBeGreaterThanOrEqual(20);
      expect(rates[covering - 1]).toBeLessThan(20);
      const [first] = steps;
      expect(first?.backlog?.requests).toBeGreaterThanOrEqual(60);
      for (const step of steps) {
        expect(step.backlog).toEqual(first?.backlog);
        expect(step.burstiness).toEqual(first?.burstiness);
        expect(step.envelope?.slice(0, -1)).toEqual(first?.envelope?.slice(0, -1));
      }
    }
  });

  it('covers a load of nothing', () => {
    const nothing = { arrivalsPerSecond: new Array<number>(60).fill(0) };
    const { steps, covering } = plannedLoad(specAt(2_000), {
      observation: { atMs: 0, load: nothing, stages: {}, runningPlan: { stages: {} }, staleSources: [] },
      forecast: { method: 'given', meanRps: 0, upperRps: 0 },
      aheadMs: 12_000,
    });
    expect(steps[covering]?.arrivalRps).toBe(0);
  });

  it('has the class of the measured burstiness below an SLO of 2 s', () => {
    const burstiness = { sloMs: 500, dispersionAtSlo: 1.5, dispersionAt10s: 1.9 };
    expect(loadFor(500, { ...calm, burstiness }).burstiness?.dispersionAtSlo).toBeCloseTo(2, 9);
    expect(loadFor(500, { ...calm, burstiness: { ...burstiness, dispersionAt10s: 1 } })).toEqual(loadFor(500));
  });

  it('fills the envelope from an SLO of 2 s on, at the rate of its longest window', () => {
    const burst = { arrivalsPerSecond: [...calm.arrivalsPerSecond, 90, 10] };
    const { arrivalRps, envelope, burstiness } = loadFor(2_000, burst);
    expect(burstiness).toBeUndefined();
    const mostIn = [90, 110, 170, 270, 470];
    expect(envelope?.map(({ windowS }) => windowS)).toEqual([1, 2, 5, 10, 20]);
    for (const [i, { arrivals }] of (envelope ?? []).entries()) {
      expect(arrivals).toBeGreaterThanOrEqual(mostIn[i] ?? 0);
      expect(arrivals).toBeLessThanOrEqual(Math.ceil(1.05 * (mostIn[i] ?? 0)));
    }
    expect(arrivalRps).toBeCloseTo((envelope?.[4]?.arrivals ?? 0) / 20, 9);
    expect(loadFor(1_999, burst).envelope).toBeUndefined();
  });

  it('starts from a backlog once a stage holds more than arrives within the SLO', () => {
    // In 500 ms, 10 requests arrive, and 30 items at the second stage.
    expect(loadFor(500, calm, [10, 30]).backlog).toBeUndefined();
    const { backlog } = loadFor(500, calm, [2, 45]);
    expect(backlog?.graceMs).toBe(12_000);
    expect(backlog?.requests).toBeGreaterThanOrEqual(2 + 45 / 3);
    expect(backlog?.requests).toBeLessThanOrEqual(1.25 * (2 + 45 / 3) + 1);
    expect(loadFor(500, calm, [12, 0]).backlog?.requests).toBeGreaterThanOrEqual(12);
  });
});
