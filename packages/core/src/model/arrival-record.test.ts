import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import {
  type ArrivalProcess,
  gammaArrivals,
  mmppArrivals,
  poissonArrivals,
} from '../simulate/arrivals/constant-rate.js';

import { rampArrivals, stepArrivals } from '../simulate/arrivals/varying-rate.js';
import { ArrivalRecord } from './arrival-record.js';
import { poissonBurstiness } from './expected-load.js';

const MINUTES_MS = 60_000;

function recordOf(arrivals: ArrivalProcess, startedAtMs = 0): ArrivalRecord {
  const record = new ArrivalRecord(startedAtMs, 500);
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs())
    record.arrived(startedAtMs + atMs);
  return record;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean dispersions over seeds. */
function measured(arrivalsOf: (rng: SeededRng) => ArrivalProcess, seeds = 20) {
  const all = Array.from({ length: seeds }, (_, i) => {
    const burstiness = recordOf(arrivalsOf(new SeededRng(i + 1))).burstiness(10 * MINUTES_MS);
    return burstiness ?? poissonBurstiness;
  });
  return {
    atSlo: mean(all.map(({ dispersionAtSlo }) => dispersionAtSlo)),
    at10s: mean(all.map(({ dispersionAt10s }) => dispersionAt10s)),
    poisson: all.filter(({ dispersionAt10s }) => dispersionAt10s === 1).length,
  };
}

describe('ArrivalRecord', () => {
  it('counts whole seconds since the start, the running one left out, the last 600 kept', () => {
    const record = new ArrivalRecord(500, 500);
    for (const atMs of [500, 700, 1499, 1500, 3700]) record.arrived(atMs);
    expect(record.arrivalsPerSecond(3_800)).toEqual([3, 1, 0]);
    expect(record.arrivalsPerSecond(5_500)).toEqual([3, 1, 0, 1, 0]);
    record.arrived(900_500);
    expect(record.arrivalsPerSecond(901_500)).toEqual([...new Array(599).fill(0), 1]);
    expect(record.arrivalsPerSecond(3_000_000)).toEqual(new Array(600).fill(0));
  });

  it('counts the windows that end now, to within 10 ms, none that is longer than the record', () => {
    const record = new ArrivalRecord(500, 500);
    const counts = (atMs: number) => record.latest(atMs).map(({ windowS, arrivals }) => [windowS, arrivals]);
    expect(counts(600)).toEqual([]);
    for (const atMs of [600, 1100, 1295, 1305, 1400, 1495]) record.arrived(atMs);
    expect(counts(900)).toEqual([[0.25, 0]]);
    expect(counts(1500)).toEqual([
      [0.25, 4],
      [0.5, 5],
      [1, 6],
    ]);
    expect(counts(1505)).toEqual(counts(1500));
    expect(counts(2350)).toEqual([
      [0.25, 0],
      [0.5, 0],
      [1, 2],
    ]);
    expect(counts(100_000).map(([, arrivals]) => arrivals)).toEqual([0, 0, 0]);
  });

  it('takes Poisson for Poisson, at any rate', () => {
    for (const rps of [2, 20, 200]) {
      const { poisson } = measured((rng) => poissonArrivals(rps, 10 * MINUTES_MS, rng));
      expect(poisson, `${rps} rps`).toBeGreaterThanOrEqual(19);
    }
  });

  it('measures gamma gaps: variance of the gaps ÷ their squared mean in long windows', () => {
    const { at10s, atSlo } = measured((rng) => gammaArrivals({ arrivalRps: 100, durationS: 600, cv: 2 }, rng));
    expect(Math.abs(atSlo / 4 - 1)).toBeLessThan(0.1);
    expect(Math.abs(at10s / 4 - 1)).toBeLessThan(0.2);
  });

  it('measures a switching rate at both windows', () => {
    const states = [
      { arrivalRps: 80, meanHoldS: 0.5 },
      { arrivalRps: 20, meanHoldS: 1 },
    ];
    const r = 1 / 0.5 + 1 / 1;
    const rate = 40;
    const reached = (x: number) => 1 - (1 - Math.exp(-x)) / x;
    const excess = (2 * 800) / (rate * r);
    const { at10s, atSlo } = measured((rng) => mmppArrivals({ states, durationS: 600 }, rng), 60);
    expect(Math.abs(atSlo / (1 + excess * reached(r * 0.5)) - 1)).toBeLessThan(0.1);
    expect(Math.abs(at10s / (1 + excess * reached(r * 10)) - 1)).toBeLessThan(0.15);
  });

  it('leaves ramps and steps to the forecast', () => {
    const ramp = measured((rng) => rampArrivals({ fromRps: 8, toRps: 60, durationS: 600 }, rng));
    const step = measured((rng) => stepArrivals({ fromRps: 8, toRps: 60, atS: 305, durationS: 600 }, rng));
    expect(ramp.poisson).toBeGreaterThanOrEqual(19);
    expect(step.poisson).toBeGreaterThanOrEqual(18);
  });

  it('forgets what is older than ten minutes, and tells nothing of too little', () => {
    const bursty = gammaArrivals({ arrivalRps: 50, durationS: 600, cv: 2 }, new SeededRng(1));
    const record = recordOf(bursty);
    expect(record.burstiness(110_000)).toBeUndefined();
    expect(record.burstiness(600_000)?.dispersionAtSlo).toBeGreaterThan(3);
    const calm = poissonArrivals(50, 600_000, new SeededRng(2));
    for (let atMs = calm.nextAtMs(); atMs !== undefined; atMs = calm.nextAtMs()) record.arrived(600_000 + atMs);
    expect(record.burstiness(1_210_000)).toEqual(poissonBurstiness);
    expect(record.burstiness(3_000_000)).toBeUndefined();
  });

  it('counts from its own start', () => {
    const load = { arrivalRps: 50, durationS: 600, cv: 2 };
    const early = recordOf(gammaArrivals(load, new SeededRng(1)));
    const late = recordOf(gammaArrivals(load, new SeededRng(1)), 1_000_000);
    expect(late.burstiness(1_600_000)).toEqual(early.burstiness(600_000));
  });
});
