import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { arrivalsOf, type LoadSpec } from '../simulate/arrivals/load-spec.js';
import type { PipelineSpec } from './pipeline-spec.js';
import {
  loadOfRouter,
  routerBoundsProblems,
  routerShares,
  routersWithinBounds,
  specOfRouter,
  unevenOfConnections,
  usualSplit,
} from './router-split.js';

const even = { count: 4, unevenFraction: 0, spreads: 'requests' } as const;

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

describe('routerShares', () => {
  it('sums to 1, from the largest share to the smallest', () => {
    expect(routerShares(usualSplit(1))).toEqual([1]);
    expect(routerShares(usualSplit(2))).toEqual([0.6, 0.4]);
    expect(sum(routerShares(usualSplit(16)))).toBeCloseTo(1, 12);
    expect(routerShares(even)).toEqual([0.25, 0.25, 0.25, 0.25]);
  });
});

describe('bounds of stages', () => {
  const bounded = (...bounds: readonly (readonly [min: number, max: number])[]) =>
    ({
      stages: bounds.map(([minReplicas, maxReplicas], index) => ({
        id: `stage-${index}`,
        bounds: { minReplicas, maxReplicas },
        pins: {},
      })),
    }) as unknown as PipelineSpec;

  it.each([
    [1, 1, 1, true],
    [0, 4, 4, true],
    [1, 3, 4, false],
    [3, 3, 2, false],
    [3, 4, 2, true],
    [5, 7, 4, false],
    [5, 8, 4, true],
  ])('%i to %i replicas suit %i routers: %s', (min, max, count, suits) => {
    const problems = routerBoundsProblems(bounded([1, 64], [min, max]), count);
    expect(problems.map(({ index }) => index)).toEqual(suits ? [] : [1]);
    if (!suits) expect(problems[0]?.message).toContain(`multiple of ${count} replicas of stage-1`);
  });

  const pinned = (replicas: number, max = 8): PipelineSpec => {
    const [stage] = bounded([1, max]).stages;
    return { prices: {}, budget: {}, stages: [{ ...stage, pins: { replicas } }] } as unknown as PipelineSpec;
  };

  it('suit a pin that is a multiple of the routers', () => {
    expect(routerBoundsProblems(pinned(4), 2)).toEqual([]);
    const message =
      '2 routers need a multiple of 2 replicas of stage-0, found a pin of 3; change the pin, or the number of routers';
    expect(routerBoundsProblems(pinned(3), 2)).toEqual([{ index: 0, field: 'pins', message }]);
    expect(routersWithinBounds(pinned(3), 5)).toBe(3);
  });

  it('leave each router a choice, also for a number that does not suit them', () => {
    const of = ({ stages: [stage] }: PipelineSpec) => [
      stage?.bounds.minReplicas,
      stage?.bounds.maxReplicas,
      stage?.pins.replicas,
    ];
    const odd = { ...bounded([3, 3]), prices: {}, budget: {} } as unknown as PipelineSpec;
    expect(of(specOfRouter(odd, usualSplit(2)))).toEqual([1, 1, undefined]);
    expect(of(specOfRouter(pinned(3, 3), usualSplit(2)))).toEqual([1, 1, 1]);
  });

  it('limit the number of routers', () => {
    expect(routersWithinBounds(bounded([1, 64]), 5)).toBe(5);
    expect(routersWithinBounds(bounded([1, 64], [1, 3]), 5)).toBe(3);
    expect(routersWithinBounds(bounded([3, 3], [1, 2]), 5)).toBe(1);
  });
});

describe('loadOfRouter', () => {
  const burstiness = { sloMs: 200, dispersionAtSlo: 3, dispersionAt10s: 9 };

  it('is the load of the router with the most load', () => {
    expect(loadOfRouter({ arrivalRps: 100 }, usualSplit(2))).toEqual({ arrivalRps: 60 });
    const load = { arrivalRps: 100 };
    expect(loadOfRouter(load, usualSplit(1))).toBe(load);
  });

  it('keeps bursts of connections together, and thins bursts of requests', () => {
    expect(loadOfRouter({ arrivalRps: 1, burstiness }, usualSplit(4)).burstiness).toEqual(burstiness);
    expect(loadOfRouter({ arrivalRps: 1, burstiness }, even).burstiness).toEqual({
      sloMs: 200,
      dispersionAtSlo: 1.5,
      dispersionAt10s: 3,
    });
  });

  it('bounds windows and backlog by a random share, at most by all', () => {
    const envelope = [
      { windowS: 0.1, arrivals: 1 },
      { windowS: 1, arrivals: 400 },
    ];
    const load = loadOfRouter({ arrivalRps: 400, envelope, backlog: { requests: 40, graceMs: 5 } }, even);
    expect(load.envelope).toEqual([
      { windowS: 0.1, arrivals: 1 },
      { windowS: 1, arrivals: 126 },
    ]);
    expect(load.backlog).toEqual({ requests: 19, graceMs: 5 });
  });

  it('has the dispersion of a simulated random share', () => {
    const states = [
      { arrivalRps: 90, meanHoldS: 2 },
      { arrivalRps: 10, meanHoldS: 2 },
    ];
    const whole: LoadSpec = { kind: 'mmpp', states, durationS: 4_000 };
    const part: LoadSpec = { kind: 'dealt', load: whole, routers: 4, router: 2, shares: routerShares(even) };
    const dispersion = (load: LoadSpec) => {
      const counts = new Array<number>(400).fill(0);
      const arrivals = arrivalsOf(load, new SeededRng(3));
      for (let at = arrivals.nextAtMs(); at !== undefined; at = arrivals.nextAtMs())
        counts[Math.floor(at / 10_000)] = (counts[Math.floor(at / 10_000)] ?? 0) + 1;
      const mean = sum(counts) / counts.length;
      return sum(counts.map((count) => (count - mean) ** 2)) / counts.length / mean;
    };
    expect(dispersion(part) / (1 + 0.25 * (dispersion(whole) - 1))).toBeCloseTo(1, 1);
  });
});

describe('unevenOfConnections', () => {
  it.each([
    [2, 50],
    [4, 200],
    [16, 1000],
  ])('bounds the largest share of %i routers with %i connections in about 95 of 100 splits', (count, connections) => {
    const rng = new SeededRng(5);
    const most = ((1 + unevenOfConnections(connections, count)) * connections) / count;
    let within = 0;
    for (let split = 0; split < 1000; split++) {
      const counts = new Array<number>(count).fill(0);
      for (let i = 0; i < connections; i++) {
        const router = Math.floor(rng.next() * count);
        counts[router] = (counts[router] ?? 0) + 1;
      }
      if (Math.max(...counts) <= most) within += 1;
    }
    expect(within / 1000).toBeGreaterThan(0.93);
    expect(within / 1000).toBeLessThan(0.99);
  });
});
