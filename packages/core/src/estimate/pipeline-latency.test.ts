import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../kernel/latency-histogram.js';
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ServiceCurve } from '../profile/service-curves.js';
import { poissonArrivals } from '../simulate/arrivals/constant-rate.js';
import { simulatePlan } from '../simulate/simulate-plan.js';
import { affineCurve, modelStage, pipeline } from './pipeline.test-support.js';
import { estimatePipeline, type PipelineQuery } from './pipeline-latency.js';

const stages = (...names: readonly string[]) => names.map(modelStage);

function queryOf(
  spec: PipelineSpec,
  arrivalRps: number,
  curves: Readonly<Record<string, ServiceCurve>>,
  replicas = 4,
): PipelineQuery {
  const configured = spec.stages.map((stage) => {
    const curve = curves[stage.id] as ServiceCurve;
    return [stage.id, { curve, replicas, maxBatchSize: curve.maxBatchSize }] as const;
  });
  return { spec, stages: new Map(configured), arrivalRps };
}

function simulatedP99({ spec, stages: configured, arrivalRps }: PipelineQuery): number {
  const rng = new SeededRng(21);
  const histogram = new LatencyHistogram();
  const plans = [...configured].map(([id, { maxBatchSize, replicas }]) => {
    const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
    return [
      id,
      [{ variantId: variantId('v'), resources, maxBatchSize, maxBatchWaitMs: 0, replicas, trafficFraction: 1 }],
    ];
  });
  const predicted = { latencyMs: 0, percentile: 99, pas: 1, capacityRps: 1, cpuCores: 1, costPerHour: 1 };
  simulatePlan({
    spec,
    curves: { kind: 'curves', warnings: [], curve: (id) => configured.get(id)?.curve },
    plan: { stages: Object.fromEntries(plans), predicted },
    arrivals: poissonArrivals(arrivalRps, 60_000_000 / arrivalRps, rng.fork('arrivals')),
    rng,
    hostCores: Number.POSITIVE_INFINITY,
    drops: false,
    onEnd: ({ arrivedAtMs, latencyMs }) => {
      if (arrivedAtMs > 2000) histogram.record(latencyMs ?? Number.POSITIVE_INFINITY);
    },
  });
  return histogram.quantileMs(0.99);
}

const p99 = (query: PipelineQuery): number => estimatePipeline(query).quantileMs(0.99);
const slow = affineCurve({ fixedMs: 20, perItemMs: 20, maxBatchSize: 8 });
const medium = affineCurve({ fixedMs: 10, perItemMs: 8, maxBatchSize: 8 });
const quick = affineCurve({ fixedMs: 4, perItemMs: 4, maxBatchSize: 8 });

describe('estimatePipeline', () => {
  it.each([
    ['a chain', pipeline(stages('a', 'b'), ['a->b'], ['b']), { a: slow, b: quick }],
    [
      'a fan-out with its join',
      pipeline(stages('a', 'b', 'c'), ['a->b*4', 'b->c!'], ['c']),
      { a: slow, b: quick, c: quick },
    ],
    [
      'a fork that meets',
      pipeline(stages('a', 'b', 'c', 'd'), ['a->b', 'a->c', 'b->d', 'c->d'], ['d']),
      { a: slow, b: medium, c: quick, d: quick },
    ],
  ])('is near the simulation of %s', (_, spec, curves) => {
    const query = queryOf(spec, 80, curves);
    expect(Math.abs(p99(query) / simulatedP99(query) - 1)).toBeLessThan(0.18);
  });

  it('adds constant times along a chain and takes the slower of two branches', () => {
    const fixed = (ms: number) => affineCurve({ fixedMs: 0, perItemMs: ms, maxBatchSize: 1 });
    const spec = pipeline(stages('a', 'b', 'c', 'd'), ['a->b', 'a->c', 'b->d', 'c->d'], ['d']);
    const curves = { a: fixed(10), b: fixed(20), c: fixed(50), d: fixed(5) };
    expect(estimatePipeline(queryOf(spec, 0.001, curves)).quantileMs(0.9)).toBeCloseTo(65, 3);
    const outputs = pipeline(stages('a', 'b', 'c'), ['a->b', 'a->c'], ['b', 'c']);
    expect(estimatePipeline(queryOf(outputs, 0.001, curves)).quantileMs(0.9)).toBeCloseTo(60, 3);
  });

  it('waits for the first branch only at an any join', () => {
    const fixed = (ms: number) => affineCurve({ fixedMs: 0, perItemMs: ms, maxBatchSize: 1 });
    const spec = pipeline(stages('a', 'b', 'c', 'd'), ['a->b', 'a->c', 'b->d', 'c->d'], ['d']);
    const edges = spec.edges.map((edge) => (edge.to === 'd' ? { ...edge, join: 'any' as const } : edge));
    const curves = { a: fixed(10), b: fixed(20), c: fixed(50), d: fixed(5) };
    expect(estimatePipeline(queryOf({ ...spec, edges }, 0.001, curves)).quantileMs(0.9)).toBeCloseTo(35, 3);
  });

  it('counts no time for a combine stage, whose members feed the next stage', () => {
    const fixed = (ms: number) => affineCurve({ fixedMs: 0, perItemMs: ms, maxBatchSize: 1 });
    const spec = pipeline(stages('a', 'b', 'd'), ['a->vote', 'b->vote', 'vote->d'], ['d']);
    const vote = { id: stageId('vote'), method: 'vote', tensor: 'label', output: 'label' } as const;
    const curves = { a: fixed(20), b: fixed(50), d: fixed(5) };
    const voted = { ...spec, combines: [vote] };
    expect(estimatePipeline(queryOf(voted, 0.001, curves)).quantileMs(0.9)).toBeCloseTo(55, 3);
    const first = {
      ...voted,
      edges: spec.edges.map((each) => (each.to === 'vote' ? { ...each, join: 'any' as const } : each)),
    };
    expect(estimatePipeline(queryOf(first, 0.001, curves)).quantileMs(0.9)).toBeCloseTo(25, 3);
    const joined = pipeline(stages('a', 'b', 'd'), ['a->d', 'b->d'], ['d']);
    const busy = { a: medium, b: quick, d: quick };
    expect(p99(queryOf(voted, 80, busy))).toBe(p99(queryOf(joined, 80, busy)));
    const alone = pipeline(stages('a', 'b'), ['a->vote', 'b->vote'], ['vote']);
    expect(estimatePipeline(queryOf({ ...alone, combines: [vote] }, 0.001, curves)).quantileMs(0.9)).toBeCloseTo(50, 3);
  });

  it('mixes the branches of `when` by probability', () => {
    const fixed = (ms: number) => affineCurve({ fixedMs: 0, perItemMs: ms, maxBatchSize: 1 });
    const spec = pipeline(stages('a', 'b'), ['a->b'], ['a', 'b']);
    const edges = spec.edges.map((edge) => ({ ...edge, when: { condition: 'true', probability: 0.3 } }));
    const estimate = estimatePipeline(queryOf({ ...spec, edges }, 0.001, { a: fixed(10), b: fixed(100) }));
    expect(estimate.meanMs).toBeCloseTo(40, 1);
    expect(estimate.quantileMs(0.5)).toBeCloseTo(10, 3);
    expect(estimate.quantileMs(0.9)).toBeCloseTo(110, 3);
  });

  it('takes the time of the stages before outputs that are skipped', () => {
    const chain = pipeline(stages('look', 'deep'), ['look->deep'], ['deep']);
    const [edge] = chain.edges;
    const seldom = { ...chain, edges: [{ ...edge, when: { condition: 'true', probability: 0.004 } }] } as PipelineSpec;
    const constant = (ms: number) => affineCurve({ fixedMs: 0, perItemMs: ms, maxBatchSize: 1 });
    const query = queryOf(seldom, 0.001, { look: constant(16), deep: constant(24) });
    expect(p99(query)).toBeCloseTo(16, 1);
    expect(estimatePipeline(query).quantileMs(0.999)).toBeCloseTo(40, 1);
  });

  it('counts no time for stages that no request reaches, one behind the other', () => {
    const fixed = (ms: number) => affineCurve({ fixedMs: 0, perItemMs: ms, maxBatchSize: 1 });
    const spec = pipeline(stages('a', 'b', 'c'), ['a->b', 'b->c'], ['a', 'b', 'c']);
    const curves = { a: fixed(10), b: fixed(20), c: fixed(50) };
    const at = (probability: number) => {
      const [first, ...others] = spec.edges as [(typeof spec.edges)[0]];
      const edges = [{ ...first, when: { condition: 'true', probability } }, ...others];
      return estimatePipeline(queryOf({ ...spec, edges }, 0.001, curves)).quantileMs(0.9);
    };
    expect([at(0), at(1)]).toEqual([expect.closeTo(10, 3), expect.closeTo(80, 3)]);
  });

  it('is infinite when a stage is unstable', () => {
    const spec = pipeline(stages('a', 'b'), ['a->b'], ['b']);
    const estimate = estimatePipeline(queryOf(spec, 1e9, { a: slow, b: quick }));
    expect([estimate.stable, estimate.meanMs, estimate.quantileMs(0.5)]).toEqual([false, Infinity, Infinity]);
    expect(estimate.stages.get(stageId('a'))?.stable).toBe(false);
  });
});
