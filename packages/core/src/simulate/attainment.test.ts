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

  /** Latencies of 20 ms, except a tenth at `slowMs`, in runs of `slowInARow`. A queue waits for `queueMs`. */
  const slowTenth = (slowInARow: number, slowMs: number, { spans = 20, requests = REQUESTS, queueMs = 0 } = {}) => {
    const of = new AttainmentSample({ fromMs: 0, spanMs: requests / spans, spans }, SLO_MS);
    of.noteQueue(1000, 1000 + queueMs);
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

  it('takes distance for proof where every span stays below a third of the SLO, and no queue lasts long', () => {
    const requests = 200_000;
    const far = (more: { spans?: number; queueMs?: number } = {}) => slowTenth(400, 33, { requests, ...more });
    expect(far()).toMatchObject({ sloAttainmentFraction: 1, conclusive: true });
    expect(slowTenth(400, 34, { requests })).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
    expect(far({ queueMs: requests / 15 })).toMatchObject({ conclusive: true });
    expect(far({ queueMs: requests / 14 })).toMatchObject({ sloAttainmentFraction: 1, conclusive: false });
  });

  it('looks at parts of few spans', () => {
    const requests = 200_000;
    const conclusiveWith = (slowest: number): boolean => {
      const of = new AttainmentSample({ fromMs: 0, spanMs: requests / 9, spans: 9 }, SLO_MS);
      for (let i = 0; i < requests; i++) of.add(i, i < slowest ? 34 : i % 100_000 < 10_000 ? 33 : 20);
      return of.verdict(0.99).conclusive;
    };
    expect(conclusiveWith(100)).toBe(true);
    // Less than a hundredth of a span, more than a hundredth of its half.
    expect(conclusiveWith(200)).toBe(false);
  });

  it('counts a queue only within the counted time', () => {
    const requests = 200_000;
    const time = { fromMs: requests, spanMs: requests / 20, spans: 20 };
    const conclusiveWith = (sinceMs: number, untilMs: number): boolean => {
      const of = new AttainmentSample(time, SLO_MS);
      for (let i = 0; i < requests; i++) of.add(requests + i, i % 40_000 < 4000 ? 33 : 20);
      of.noteQueue(sinceMs, untilMs);
      return of.verdict(0.99).conclusive;
    };
    expect(conclusiveWith(0, requests + 10_000)).toBe(true);
    expect(conclusiveWith(2 * requests - 10_000, 4 * requests)).toBe(true);
    expect(conclusiveWith(0, requests + 20_000)).toBe(false);
    expect(conclusiveWith(2 * requests - 20_000, 4 * requests)).toBe(false);
  });

  it('skips spans without arrivals if enough others have some', () => {
    const spanMs = 1000;
    const conclusiveWith = (isEmpty: (span: number) => boolean): boolean => {
      const of = new AttainmentSample({ fromMs: 0, spanMs, spans: 20 }, SLO_MS);
      for (let span = 0; span < 20; span++)
        for (let i = 0; i < spanMs && !isEmpty(span); i++)
          of.add(span * spanMs + i, span === 0 && i % 2 === 0 ? 33 : 20);
      return of.verdict(0.99).conclusive;
    };
    expect(conclusiveWith((span) => span % 2 === 1)).toBe(true);
    expect(conclusiveWith((span) => span % 2 === 1 || span === 2)).toBe(false);
  });

  it('counts too short a time as its part of the time that is enough, so that a search knows which run is long enough', () => {
    const worth = (queueMs: number): number => {
      const { lowFraction, conclusive } = slowTenth(4000, 33, { requests: 200_000, queueMs });
      expect(conclusive).toBe(false);
      return lowFraction / (1 - lowFraction) / 99;
    };
    expect(worth(40_000)).toBeCloseTo(5 / 15, 9);
    expect(worth(20_000)).toBeCloseTo(10 / 15, 9);
  });

  /** Work that waits for one server, with a random walk per request: `drift` > 0 is an overload. In units of the SLO. */
  const waiting = (drift: number, { requests = 100_000, step = 0.01 } = {}) => {
    const of = new AttainmentSample({ fromMs: 0, spanMs: requests / 20, spans: 20 }, SLO_MS);
    const rng = new SeededRng(7);
    let since = 0;
    for (let i = 0, work = 0; i < requests; i++) {
      work = Math.max(0, work + step * (drift + (rng.next() < 0.5 ? -1 : 1)));
      of.add(i, work);
      of.noteQueue(since, i);
      if (work === 0) since = i;
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

  it('excludes nothing below all runs without a miss, is unbounded for one run, and excludes nothing without requests', () => {
    const sure = attainmentInterval95([counts(1000), counts(1000)]);
    expect(sure).toMatchObject({ mean: 1, high: 1 });
    expect(sure.low).toBeLessThan(0.95);
    expect(attainmentInterval95([counts(990)])).toMatchObject({ mean: 0.99, high: Number.POSITIVE_INFINITY });
    expect(attainmentInterval95([counts(0, 0), counts(0, 0)])).toEqual({ mean: 1, low: 0, high: 1 });
    expect(attainmentInterval95([counts(0, 0)])).toEqual({ mean: 1, low: 0, high: 1 });
  });
});
