import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import { stageId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import { showsSloMet } from '../model/plan.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import { simulatePlan } from './simulate-plan.js';
import { itemsPerRequest, verifyPlan } from './verify-plan.js';

const chain = chainSpec({ a: [], b: [], c: [], d: [] });
const edge = (from: string, to: string, more: Partial<EdgeSpec> = {}): EdgeSpec => ({
  from: stageId(from),
  to: stageId(to),
  ...more,
});
const fanOut = (expected: number) => ({ fanOut: { expected } });

describe('itemsPerRequest', () => {
  it('counts a stage once, multiplies fan-outs, and takes them out again at joins', () => {
    expect(itemsPerRequest(chain)).toBe(4);
    const closed = [edge('a', 'b', fanOut(3)), edge('b', 'c', { join: 'all' }), edge('c', 'd')];
    expect(itemsPerRequest({ ...chain, edges: closed })).toBe(1 + 3 + 1 + 1);
    const nested = [edge('a', 'b', fanOut(3)), edge('b', 'c', fanOut(4)), edge('c', 'd', { join: 'all' })];
    expect(itemsPerRequest({ ...chain, edges: nested })).toBe(1 + 3 + 12 + 3);
  });
});

/** One stage; each replica serves up to 100 rps, one request at a time. */
const spec = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }] });

function verified(
  load: ExpectedLoad,
  {
    sloMs = 60,
    replicas = 1,
    work = 20_000,
    of = spec,
    seed = 1,
  }: Partial<{
    sloMs: number;
    /** Of every stage, or of each. */
    replicas: number | readonly number[];
    work: number;
    of: PipelineSpec;
    seed: number;
  }> = {},
) {
  const asked = { ...of, slo: { latencyMs: sloMs, percentile: 99 } };
  const setup = {
    ...load,
    spec: asked,
    curves: requireCurves(of, []),
    hostCores: 1000,
    seed,
    workStageRequests: work,
  };
  const plan = planOf(asked, { maxBatchSize: 1, replicas: typeof replicas === 'number' ? replicas : 1 });
  if (typeof replicas === 'number') return verifyPlan(setup, plan);
  const stages = Object.entries(plan.stages).map(([id, parts], index) => [
    id,
    parts.map((part) => ({ ...part, replicas: replicas[index] ?? 1 })),
  ]);
  return verifyPlan(setup, { ...plan, stages: Object.fromEntries(stages) });
}

describe('verifyPlan', () => {
  it('finds a plan worse the burstier its load is', () => {
    const burstiness = (at: number) => ({ sloMs: 60, dispersionAtSlo: at, dispersionAt10s: at });
    const calm = verified({ arrivalRps: 50 });
    const bursty = verified({ arrivalRps: 50, burstiness: burstiness(3) });
    const burstier = verified({ arrivalRps: 50, burstiness: burstiness(8) });
    expect(showsSloMet(calm)).toBe(true);
    expect(bursty.latencyMs).toBeGreaterThan(1.5 * calm.latencyMs);
    expect(burstier.latencyMs).toBeGreaterThan(1.5 * bursty.latencyMs);
    expect(showsSloMet(burstier)).toBe(false);
  });

  it('lets requests arrive as an envelope admits them: the burst of a second waits in line', () => {
    const envelope = [
      { windowS: 1, arrivals: 150 },
      { windowS: 5, arrivals: 200 },
      { windowS: 20, arrivals: 800 },
    ];
    const tight = verified({ arrivalRps: 40, envelope }, { sloMs: 1_400 });
    expect(tight.latencyMs).toBeCloseTo(1_500, -2);
    expect(showsSloMet(tight)).toBe(false);
    expect(showsSloMet(verified({ arrivalRps: 40, envelope }, { sloMs: 2_600 }))).toBe(true);
  });

  it('counts an envelope also where the work does not suffice for whole periods', () => {
    const envelope = [
      { windowS: 1, arrivals: 90 },
      { windowS: 20, arrivals: 1_200 },
    ];
    const verdict = verified({ arrivalRps: 60, envelope }, { sloMs: 2_600, work: 2_000 });
    expect(verdict.sloAttainmentFraction).toBe(1);
  });

  /** Far above all latencies of these runs. */
  const FAR_MS = 120_000;
  const variable = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 40 }] });

  /** Windows with more requests per second than the long run, as in measured traffic. */
  const busySeconds = (arrivalRps: number) => [
    { windowS: 1, arrivals: Math.round(1.3 * arrivalRps) },
    { windowS: 5, arrivals: Math.round(1.1 * 5 * arrivalRps) },
    { windowS: 20, arrivals: Math.round(20 * arrivalRps) },
  ];

  it.each([2, 3, 5])('rejects an overload under an envelope of %i periods, however far the SLO is', (periods) => {
    for (const load of [1, 1.003, 1.01])
      for (let seed = 1; seed <= 10; seed++) {
        const arrivalRps = 100 * load;
        const work = 20 * periods * arrivalRps + 1;
        const envelope = busySeconds(arrivalRps);
        const verdict = verified({ arrivalRps, envelope }, { of: variable, sloMs: FAR_MS, work, seed });
        expect(verdict, `${load}, seed ${seed}`).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
      }
  });

  it('accepts a plan under an envelope of few periods whose queue is empty every few seconds', () => {
    const arrivalRps = 600;
    const work = 20 * 5 * arrivalRps + 1;
    const plan = { of: variable, sloMs: 4000, replicas: 8, work };
    const envelope = busySeconds(arrivalRps);
    for (let seed = 1; seed <= 5; seed++)
      expect(showsSloMet(verified({ arrivalRps, envelope }, { ...plan, seed })), `seed ${seed}`).toBe(true);
    expect(showsSloMet(verified({ arrivalRps, envelope }, { ...plan, replicas: 6 }))).toBe(false);
  });

  it('counts the first seconds of an envelope where the work does not suffice for a period', () => {
    const envelope = [300, 301, 400, 500, 700].map((arrivals, index) => ({
      windowS: [1, 2, 5, 10, 20][index] as number,
      arrivals,
    }));
    // The burst of the first second waits for up to 3 s, later ones for up to 2 s.
    const { latencyMs } = verified({ arrivalRps: 60, envelope }, { sloMs: FAR_MS, work: 1000 });
    expect(latencyMs).toBeGreaterThan(2900);
  });

  it('rejects an overload behind which requests differ by a rare long branch', () => {
    const chain = chainSpec({
      a: [{ cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 40 }],
      b: [{ cpuCores: 1, batchSize: 1, meanMs: 20_000 }],
    });
    const edges = [edge('a', 'b', { when: { condition: 'output.unsure', probability: 0.05 } })];
    for (let seed = 1; seed <= 10; seed++) {
      const verdict = verified(
        { arrivalRps: 100.5 },
        { of: { ...chain, edges }, sloMs: FAR_MS, replicas: [1, 150], work: 20_000, seed },
      );
      expect(verdict, `seed ${seed}`).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
    }
  });

  it('starts from the backlog, and holds a plan to its SLO once its grace is over', () => {
    const backlog = { requests: 400, graceMs: 12_000 };
    expect(showsSloMet(verified({ arrivalRps: 50 }))).toBe(true);
    // 400 waiting requests are served after 400 × 10 ms ÷ (1 − 0.5) = 8 s.
    expect(showsSloMet(verified({ arrivalRps: 50, backlog }))).toBe(true);
    expect(showsSloMet(verified({ arrivalRps: 50, backlog: { ...backlog, graceMs: 1_000 } }))).toBe(false);
    expect(showsSloMet(verified({ arrivalRps: 50, backlog: { ...backlog, requests: 4_000 } }))).toBe(false);
    expect(showsSloMet(verified({ arrivalRps: 50, backlog: { ...backlog, requests: 4_000 } }, { replicas: 8 }))).toBe(
      true,
    );
  });

  it('never works more than its budget, however overloaded the plan is', () => {
    const chain = chainSpec({
      a: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }],
      b: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }],
    });
    let items = 0;
    const counting = requireCurves(chain, []);
    const curves: typeof counting = {
      ...counting,
      curve: (...of) => {
        const curve = counting.curve(...of);
        if (curve === undefined) return undefined;
        const law: typeof curve.law = (size) => {
          items += size;
          return curve.law(size);
        };
        return { ...curve, law };
      },
    };
    const verdict = verifyPlan(
      { arrivalRps: 10_000, spec: chain, curves, hostCores: 64, seed: 1, workStageRequests: 20_000 },
      planOf(chain, { maxBatchSize: 1, replicas: 1 }),
    );
    expect(verdict).toMatchObject({ conclusive: true });
    expect(verdict.sloAttainmentFraction).toBeLessThan(0.1);
    expect(items).toBeGreaterThan(18_000);
    expect(items).toBeLessThan(22_000);
  });
});

it('simulates as many requests of a pipeline of 32 stages as of one of 16', () => {
  const requestsOf = (count: number): number => {
    const names = Array.from({ length: count }, (_, i) => `stage-${i}`);
    const spec = chainSpec(
      Object.fromEntries(names.map((name) => [name, [{ cpuCores: 1, batchSize: 1, meanMs: 2, p99Ms: 2 }]])),
    );
    let items = 0;
    const real = requireCurves(spec, []);
    const curves = {
      ...real,
      curve: (...of: Parameters<typeof real.curve>) => {
        const curve = real.curve(...of);
        if (curve === undefined) return undefined;
        const law: typeof curve.law = (size) => {
          items += size;
          return curve.law(size);
        };
        return { ...curve, law };
      },
    };
    const asked = { arrivalRps: 50, spec, curves, hostCores: 64, seed: 1, workStageRequests: 32_000 };
    verifyPlan(asked, planOf(spec, { maxBatchSize: 1, replicas: 1 }));
    return items / count;
  };
  expect(requestsOf(32) / requestsOf(16)).toBeCloseTo(1, 1);
});

describe('simulatePlan with a backlog', () => {
  it('has that many requests at the sources at the beginning, and tells when their queue is empty', () => {
    const latencies: number[] = [];
    const queues: (readonly [number, number])[] = [];
    const { tally } = simulatePlan({
      spec,
      curves: requireCurves(spec, []),
      plan: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
      rng: new SeededRng(1),
      hostCores: 64,
      drops: false,
      backlogRequests: 5,
      arrivals: poissonArrivals(0, 0, new SeededRng(1)),
      onEnd: ({ latencyMs }) => latencies.push(latencyMs ?? 0),
      onQueueEmptied: (sinceMs, nowMs) => queues.push([sinceMs, nowMs]),
    });
    expect(tally.arrived).toBe(5);
    expect(latencies).toEqual([10, 20, 30, 40, 50]);
    expect(queues).toEqual([
      [0, 0],
      [0, 40],
    ]);
  });
});

describe('the peaks of a run', () => {
  const points = [1, 2, 4, 8].map((batchSize) => ({ batchSize, meanMs: 4 + 4 * batchSize, p99Ms: 6 + 6 * batchSize }));
  const of = (cpuCores: number) => {
    const stage = points.map((point) => ({ ...point, cpuCores }));
    return { ...chainSpec({ a: stage, b: stage }), slo: { latencyMs: 60, percentile: 99 } };
  };
  const run = (asked: PipelineSpec, choice: { maxBatchSize: number; replicas: number }, hostCores: number) =>
    verifyPlan(
      { spec: asked, curves: requireCurves(asked, []), hostCores, seed: 1, arrivalRps: 60, workStageRequests: 6000 },
      planOf(asked, choice),
    );

  it.each([
    [1, 64],
    [1, 2],
    [0.25, 64],
    [0.25, 1],
  ])('tell which other bounds change nothing: replicas of %d cores on a host of %d', (cpuCores, hostCores) => {
    const asked = of(cpuCores);
    const wide = run(asked, { maxBatchSize: 8, replicas: 12 }, hostCores);
    const most = (wide.peaks ?? []).reduce(
      (a, b) => ({ batchSize: Math.max(a.batchSize, b.batchSize), replicas: Math.max(a.replicas, b.replicas) }),
      { batchSize: 1, replicas: 1 },
    );
    expect(most.batchSize).toBeLessThan(8);
    expect(most.replicas).toBeLessThan(12);
    for (const maxBatchSize of [most.batchSize, 8])
      for (const replicas of [most.replicas + 1, 20])
        expect(run(asked, { maxBatchSize, replicas }, hostCores)).toEqual(wide);
    expect(run(asked, { maxBatchSize: 8, replicas: 1 }, hostCores).peaks?.[0]).toMatchObject({ replicas: 1 });
  });

  it('count the batch bound as reached where items wait for companions', () => {
    const asked = of(1);
    const stages = asked.stages.map((stage) => ({ ...stage, bounds: { ...stage.bounds, maxBatchWaitMs: 5 } }));
    const { peaks = [] } = run({ ...asked, stages }, { maxBatchSize: 8, replicas: 12 }, 64);
    expect(peaks.map(({ batchSize }) => batchSize)).toEqual([8, 8]);
  });
});
