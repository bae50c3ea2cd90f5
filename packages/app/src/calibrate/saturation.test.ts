import type { RequestEnd } from '@equipoise/runtime';
import { describe, expect, it } from 'vitest';
import { Raises, runOverload, searchSaturation } from './saturation.js';
import type { Segment } from './segment.js';

const SLO_MS = 100;
const SECONDS = 10;

/** Even arrivals at a server of this capacity. It drops requests that would wait longer than the SLO. */
function segmentOf(arrivalRps: number, capacityRps: number, rushing = 0): Segment {
  const requests = Math.ceil(arrivalRps * SECONDS) + rushing;
  let freeAtMs = 0;
  const ends = Array.from({ length: requests }, (_, sequence): RequestEnd => {
    const arrivedAtMs = (1000 / arrivalRps) * (sequence - Math.min(sequence, rushing) / 2);
    const endedAtMs = Math.max(arrivedAtMs, freeAtMs) + 1000 / capacityRps;
    const isDropped = endedAtMs > arrivedAtMs + SLO_MS;
    if (!isDropped) freeAtMs = endedAtMs;
    const latencyMs = isDropped ? 0 : endedAtMs - arrivedAtMs;
    const end = { arrivedAtMs, endedAtMs: arrivedAtMs + latencyMs, leftMs: SLO_MS, latencyMs };
    return isDropped ? { kind: 'dropped', reason: 'deadline-unreachable', ...end } : { kind: 'completed', ...end };
  });
  const record = { ends, batches: [], turns: [], fanOuts: {}, edges: [] };
  return { record, clientCpuMs: 0, arrivalRps, requests, rushing, sloMs: SLO_MS };
}

describe('the search for the saturation throughput', () => {
  async function search(capacityRps: number, firstRps: number, mostRaises: number) {
    const rates: number[] = [];
    const extras: boolean[] = [];
    const foundRps = await searchSaturation(firstRps, new Raises(mostRaises), async (arrivalRps, isExtra) => {
      rates.push(arrivalRps);
      extras.push(isExtra);
      return segmentOf(arrivalRps, capacityRps);
    });
    return { rates, extras, foundRps };
  }

  it('goes on at higher rates until requests no longer complete', async () => {
    const { extras, foundRps } = await search(400, 80, 20);
    expect(foundRps / 400).toBeGreaterThan(0.95);
    expect(foundRps / 400).toBeLessThan(1.05);
    expect(extras.slice(0, 3)).toEqual([false, false, false]);
    expect(extras.slice(3).every(Boolean)).toBe(true);
  });

  it('takes three segments if the last one saturates, or nothing may be added', async () => {
    expect((await search(100, 80, 20)).rates).toHaveLength(3);
    const { rates, foundRps } = await search(400, 80, 0);
    expect(rates).toHaveLength(3);
    expect(foundRps / 400).toBeLessThan(0.5);
  });

  it('ends where the rate of the load generator ends, and where nothing completes', async () => {
    expect((await search(10_000, 2000, 20)).rates.every((rate) => rate <= 3000)).toBe(true);
    expect((await search(5, 20, 20)).foundRps).toBe(0);
  });
});

describe('a load above saturation', () => {
  const RUSHING = 100;
  async function overload(foundRps: number, mostRaises: number) {
    const rates: number[] = [];
    const { segment, ofRps } = await runOverload(1.1, foundRps, new Raises(mostRaises), async (rps) => {
      rates.push(rps);
      return segmentOf(1.1 * rps, 400, RUSHING);
    });
    return { rates, segment, ofRps };
  }

  it('runs once if it is an overload', async () => {
    expect((await overload(400, 8)).rates).toEqual([400]);
  });

  it('runs again at a higher rate as long as it is none', async () => {
    const { rates, ofRps, segment } = await overload(200, 20);
    expect(rates.length).toBeGreaterThan(3);
    expect(ofRps).toBe(rates.at(-1));
    expect(segment.arrivalRps).toBeCloseTo(1.1 * ofRps, 9);
    expect(segment.arrivalRps).toBeGreaterThan(400);
    expect(ofRps / 400).toBeLessThan(1.1);
  });

  it('runs at a higher rate each time, even if fewer requests arrive than they should', async () => {
    const rates: number[] = [];
    await runOverload(1.1, 200, new Raises(3), async (rps) => {
      rates.push(rps);
      return { ...segmentOf(0.9 * rps, 1000), arrivalRps: 1.1 * rps };
    });
    expect(rates).toHaveLength(4);
    for (const [i, rate] of rates.slice(1).entries()) expect(rate).toBeGreaterThan(rates[i] as number);
  });

  it('is kept as it is once nothing may be added', async () => {
    expect((await overload(200, 0)).rates).toEqual([200]);
    expect((await overload(200, 2)).rates).toHaveLength(3);
  });
});
