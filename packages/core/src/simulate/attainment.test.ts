import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { AttainmentSample, attainmentInterval95 } from './attainment.js';

const SLO_MS = 100;
const REQUESTS = 20_000;

/** Sample of one request per ms in 20 spans. `isLate` says which requests miss the SLO. */
function sampleOf(isLate: (request: number) => boolean, requests = REQUESTS): AttainmentSample {
  const sample = new AttainmentSample({ fromMs: 0, spanMs: requests / 20, spans: 20 }, SLO_MS);
  for (let request = 0; request < requests; request++) sample.add(request, isLate(request) ? 200 : 50 + (request % 40));
  return sample;
}

const independent = (missFraction: number, seed = 1) => {
  const rng = new SeededRng(seed);
  return () => rng.next() < missFraction;
};

/** An equal number of misses in clusters of `size`. */
const clustered = (missFraction: number, size: number) => {
  const rng = new SeededRng(1);
  let left = 0;
  return () => {
    if (left === 0 && rng.next() < missFraction / size) left = size;
    left -= left > 0 ? 1 : 0;
    return left > 0;
  };
};

describe('AttainmentSample', () => {
  it('counts what arrived in the counted time, over arrivals', () => {
    const sample = new AttainmentSample({ fromMs: 10, spanMs: 10, spans: 2 }, SLO_MS);
    sample.add(9, 500);
    for (const latencyMs of [50, 100, 101, Number.POSITIVE_INFINITY]) sample.add(12, latencyMs);
    expect(sample.verdict(0.5)).toMatchObject({ latencyMs: 100, sloAttainmentFraction: 0.5, conclusive: false });
  });

  it('is conclusive where the interval clears the asked fraction, on both sides', () => {
    expect(sampleOf(independent(0.005)).verdict(0.99).conclusive).toBe(true);
    expect(sampleOf(independent(0.02)).verdict(0.99).conclusive).toBe(true);
    expect(sampleOf(independent(0.01)).verdict(0.99).conclusive).toBe(false);
  });

  it('takes misses that come in clusters for fewer than they are', () => {
    expect(sampleOf(independent(0.006)).verdict(0.99).conclusive).toBe(true);
    const { sloAttainmentFraction, conclusive } = sampleOf(clustered(0.006, 100)).verdict(0.99);
    expect(sloAttainmentFraction).toBeGreaterThan(0.99);
    expect(conclusive).toBe(false);
  });

  /** Latencies of 20 ms, except a tenth at `slowMs`, in runs of `slowInARow`. */
  const slowTenth = (slowInARow: number, slowMs: number, { spans = 20, requests = REQUESTS } = {}) => {
    const of = new AttainmentSample({ fromMs: 0, spanMs: requests / spans, spans }, SLO_MS);
    const rng = new SeededRng(5);
    for (let i = 0, slow = 0; i < requests; i++) {
      if (slow === 0 && rng.next() < 0.1 / slowInARow) slow = slowInARow;
      of.add(i, slow > 0 ? slowMs : 20);
      slow = Math.max(0, slow - 1);
    }
    return of.verdict(0.99);
  };

  it('takes a lucky sample without misses for what its slow tenth is worth', () => {
    expect(slowTenth(1, 90)).toMatchObject({ sloAttainmentFraction: 1, conclusive: true });
    expect(slowTenth(1000, 90)).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
  });

  it('takes distance for proof where every span stays below a third of the SLO, in enough spans and cycles', () => {
    const requests = 200_000;
    expect(slowTenth(400, 33, { requests })).toMatchObject({ sloAttainmentFraction: 1, conclusive: true });
    expect(slowTenth(400, 34, { requests })).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
    expect(slowTenth(400, 33, { requests, spans: 9 })).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
    expect(slowTenth(2000, 33, { requests })).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
  });

  it('counts a few cycles as their part of those that are enough, so that a search knows which run is long enough', () => {
    const worth = (slowInARow: number): number => {
      const { lowFraction, conclusive } = slowTenth(slowInARow, 33, { requests: 200_000 });
      expect(conclusive).toBe(false);
      return lowFraction / (1 - lowFraction) / 99;
    };
    // The samples have 3 and 9 cycles.
    expect(worth(4000)).toBeCloseTo(3 / 20, 9);
    expect(worth(2000)).toBeCloseTo(9 / 20, 9);
  });

  /** Work that waits for one server, with a random walk per request: `drift` > 0 is an overload. In units of the SLO. */
  const waiting = (drift: number, { requests = 100_000, step = 0.01, period = 0 } = {}) => {
    const spanMs = requests / 20;
    const of = new AttainmentSample({ fromMs: 0, spanMs, spans: 20, ...(period > 0 && { periodMs: period }) }, SLO_MS);
    const rng = new SeededRng(7);
    for (let i = 0, work = 0; i < requests; i++) {
      work = Math.max(0, work + step * (drift + (rng.next() < 0.5 ? -1 : 1)));
      of.add(i, work + (period > 0 && i % period < period / 2 ? 10 : 0));
    }
    return of.verdict(0.99);
  };

  it('rejects an overload whose queue is still short, however far the SLO is', () => {
    expect(waiting(-0.03).latencyMs).toBeLessThan(SLO_MS / 3);
    expect(waiting(-0.03)).toMatchObject({ sloAttainmentFraction: 1, conclusive: true });
    for (const drift of [0, 0.003, 0.01])
      for (const step of [0.01, 0.000_1])
        expect(waiting(drift, { step }), `${drift} ${step}`).toMatchObject({ conclusive: false });
  });

  it('does not take the period of the arrivals for cycles', () => {
    const overload = { step: 0.001, period: 1250 };
    expect(waiting(0.01, overload)).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
  });

  it('does not take distance for numbers', () => {
    const few = new AttainmentSample({ fromMs: 0, spanMs: 20, spans: 20 }, SLO_MS);
    for (let i = 0; i < 400; i++) few.add(i, 10);
    expect(few.verdict(0.99)).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
  });

  it('does not take few requests for proof: 99.9 % needs some thousands', () => {
    expect(sampleOf(() => false, 1000).verdict(0.999).conclusive).toBe(false);
    expect(sampleOf(() => false, REQUESTS).verdict(0.999).conclusive).toBe(true);
    expect(new AttainmentSample({ fromMs: 0, spanMs: 1, spans: 20 }, SLO_MS).verdict(0.99).conclusive).toBe(false);
  });
});

describe('attainmentInterval95', () => {
  const counts = (withinSlo: number, arrived = 1000) => ({ arrived, withinSlo });

  it('contains the true attainment in about 95 of 100 samples', () => {
    const rng = new SeededRng(11);
    const chance = 0.98;
    let contained = 0;
    for (let sample = 0; sample < 400; sample++) {
      const runs = Array.from({ length: 4 }, () => {
        let withinSlo = 0;
        for (let i = 0; i < 500; i++) if (rng.next() < chance) withinSlo += 1;
        return counts(withinSlo, 500);
      });
      const { low, high } = attainmentInterval95(runs);
      if (low <= chance && chance <= high) contained += 1;
    }
    expect(contained).toBeGreaterThanOrEqual(380);
  });

  it('is wider if the runs differ more than by chance', () => {
    const width = ({ low, high }: { low: number; high: number }) => high - low;
    const alike = attainmentInterval95([counts(980), counts(980), counts(980)]);
    const apart = attainmentInterval95([counts(999), counts(941), counts(1000)]);
    expect(apart.mean).toBeCloseTo(alike.mean, 12);
    expect(width(apart)).toBeGreaterThan(2 * width(alike));
  });

  it('excludes nothing below all runs without a miss, and is unbounded for one run', () => {
    const sure = attainmentInterval95([counts(1000), counts(1000)]);
    expect(sure).toMatchObject({ mean: 1, high: 1 });
    expect(sure.low).toBeLessThan(0.95);
    expect(attainmentInterval95([counts(990)])).toMatchObject({ mean: 0.99, high: Number.POSITIVE_INFINITY });
    expect(attainmentInterval95([counts(0, 0), counts(0, 0)]).low).toBe(Number.NEGATIVE_INFINITY);
  });
});
