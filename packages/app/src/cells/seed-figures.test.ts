import { describe, expect, it } from 'vitest';
import type { RunFigures } from '../compose/simulated-run.js';
import { estimateText, seedFigures, sloVerdict } from './seed-figures.js';

const run = (withinSlo: number, p99: number): RunFigures => ({
  requests: 1000,
  completed: 990,
  dropped: { 'deadline-passed': 10 },
  failed: 0,
  latencyMs: { mean: 20, p50: 15, p95: 40, p99, p999: 90, max: 100 },
  sloAttainmentFraction: withinSlo / 1000,
  goodputRps: 9,
  pasMean: 0.8,
  pasGoodput: 0.7,
  cpuCoresMean: 3,
  costPerHourMean: 3,
  stages: {},
  decisions: 0,
});

describe('seedFigures', () => {
  it('has means with intervals over several seeds', () => {
    const figures = seedFigures([run(1000, 50), run(980, 60), run(990, 70)]);
    expect(figures.sloAttainmentFraction.mean).toBeCloseTo(0.99, 12);
    expect(figures.sloAttainmentFraction.low).toBeLessThan(0.985);
    expect(figures.sloAttainmentFraction.high).toBeLessThan(1);
    expect(figures.latencyMs.p99).toMatchObject({ mean: 60 });
    expect(figures.latencyMs.p99.low).toBeLessThan(50);
    expect(figures.droppedFraction).toEqual({ mean: 0.01, low: 0.01, high: 0.01 });
  });

  it('has an interval where no request missed, and none for one seed', () => {
    const { low, high } = seedFigures([run(1000, 50), run(1000, 50)]).sloAttainmentFraction;
    expect(high).toBe(1);
    expect(low).toBeLessThan(1);
    expect(seedFigures([run(1000, 50)]).sloAttainmentFraction).toEqual({ mean: 1 });
  });
});

it('has latencies and accuracies of the seeds that completed requests', () => {
  const none = {
    ...run(0, 0),
    completed: 0,
    pasMean: 0,
    latencyMs: { mean: 0, p50: 0, p95: 0, p99: 0, p999: 0, max: 0 },
  };
  const figures = seedFigures([run(1000, 50), none, run(990, 70)]);
  expect(figures.latencyMs.p99.mean).toBe(60);
  expect(figures.pasMean.mean).toBeCloseTo(0.8, 12);
  expect(figures.sloAttainmentFraction.mean).toBeCloseTo(0.663, 3);
  expect(seedFigures([none, none]).latencyMs.p99.mean).toBe(0);
});

it.each([1, 3])('tells nothing of the SLO without a request, over %i seeds', (seeds) => {
  const none = { ...run(1000, 0), requests: 0, completed: 0, dropped: {} };
  const { sloAttainmentFraction } = seedFigures(Array.from({ length: seeds }, () => none));
  expect(sloAttainmentFraction).toEqual({ mean: 1, low: 0, high: 1 });
  expect(sloVerdict(sloAttainmentFraction, 99)).toBe('inconclusive');
});

describe('sloVerdict', () => {
  it.each([
    [{ mean: 0.995, low: 0.991, high: 0.998 }, 'met'],
    [{ mean: 0.992, low: 0.985, high: 0.996 }, 'inconclusive'],
    [{ mean: 0.9, low: 0.85, high: 0.94 }, 'missed'],
    [{ mean: 0.995 }, 'met'],
    [{ mean: 0.98 }, 'missed'],
  ] as const)('of %o is %s', (estimate, verdict) => {
    expect(sloVerdict(estimate, 99)).toBe(verdict);
  });
});

it('writes an interval in parentheses', () => {
  expect(estimateText({ mean: 0.5, low: 0.4, high: 0.6 }, 1, 100)).toBe('50.0 (40.0–60.0)');
  expect(estimateText({ mean: 0.5 }, 2)).toBe('0.50');
});
