import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import type { SourceJoinSpec, SourceSpec } from '../../model/pipeline-spec.js';
import { deterministicArrivals } from './constant-rate.js';
import { JoinedArrivals, joinedStream, type SourceLoad } from './joined-arrivals.js';

const source = (name: string, more: Partial<SourceSpec> = {}): SourceSpec => ({ name, to: [], tensors: [], ...more });
const byId: SourceJoinSpec = { maxWaitMs: 500, maxWaiting: 1000 };
const plain: SourceLoad = { meanGapMs: 0, sources: [{}, {}] };

function drained(arrivals: JoinedArrivals): { readonly atMs: readonly number[]; readonly parts: readonly string[] } {
  const atMs: number[] = [];
  const parts: string[] = [];
  for (let at = arrivals.nextAtMs(); at !== undefined; at = arrivals.nextAtMs()) {
    atMs.push(at);
    parts.push(
      arrivals
        .takeParts()
        .map((has) => (has ? 'x' : '-'))
        .join(''),
    );
  }
  return { atMs, parts };
}

describe('joined arrivals', () => {
  const joined = (load: SourceLoad, sources = [source('a'), source('b')], sourceJoin = byId) =>
    new JoinedArrivals({
      spec: { sources, sourceJoin },
      load,
      requests: deterministicArrivals(10, 1000),
      durationMs: 1000,
      rng: new SeededRng(3),
    });

  it('are the requests themselves if all parts come at once', () => {
    const { atMs, parts } = drained(joined(plain));
    expect(atMs).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    expect(new Set(parts)).toEqual(new Set(['xx']));
  });

  it('begin without an optional part when the wait ends, and not at all without a needed one', () => {
    const never = { ...plain, sources: [{}, { missingFraction: 1 }] };
    const optional = joined(never, [source('a'), source('b', { onMissing: 'partial' })]);
    expect(drained(optional)).toEqual({
      atMs: [500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400],
      parts: Array(10).fill('x-'),
    });
    const needed = joined(never);
    expect(drained(needed).atMs).toEqual([]);
    expect(needed.counts).toMatchObject([{ unmatched: 10 }, { joined: 0 }]);
  });

  it('have the newest part of a source with arrivals of its own', () => {
    const sources = [source('a'), source('b', { latest: { maxAgeMs: 300 } })];
    const load = { meanGapMs: 0, sources: [{}, { arrivalRps: 3 }] };
    const slow = joined(load, sources, { ...byId, by: 'key' });
    const { parts } = drained(slow);
    const [{ joined: begun, unmatched }, { kept }] = slow.counts as [(typeof slow.counts)[0], (typeof slow.counts)[0]];
    expect(parts).toHaveLength(begun);
    expect(begun + unmatched).toBe(10);
    expect(kept).toBeGreaterThan(0);
  });
});

describe('the joined stream', () => {
  it('has the rate and the shares of a closed form, for parts that are missing, late or stale', () => {
    const spec = { sources: [source('a'), source('b', { onMissing: 'partial' })], sourceJoin: byId } as const;
    const load = { meanGapMs: 0, sources: [{ missingFraction: 0.1 }, { late: { fraction: 0.2, byMs: 900 } }] };
    const { arrivalRps, shares, counts } = joinedStream(spec, { load, arrivalRps: 50, rng: new SeededRng(1) });
    // Without `a`, no request begins; a late `b` leaves `a` alone.
    expect(arrivalRps).toBeCloseTo(50 * 0.9, 0);
    expect(shares[0]).toBe(1);
    expect(shares[1]).toBeCloseTo(0.8, 1);
    // Also without `a`, a late part is the first of its wait.
    expect((counts[1]?.late ?? 0) / 20_000).toBeCloseTo(0.2 * 0.9, 1);

    const slow = { sources: [source('a'), source('b', { latest: { maxAgeMs: 1000 } })], sourceJoin: byId };
    const own = { meanGapMs: 0, sources: [{}, { arrivalRps: 1 }] };
    const fresh = joinedStream(slow, { load: own, arrivalRps: 50, rng: new SeededRng(1) });
    // The newest part is younger than 1 s with the probability 1 − e^(−1).
    expect(fresh.arrivalRps / 50).toBeGreaterThan(0.9 * (1 - Math.exp(-1)));
    expect(fresh.arrivalRps / 50).toBeLessThan(1.1 * (1 - Math.exp(-1)));
  });

  it('ends with a source that never sends', () => {
    const spec = { sources: [source('a'), source('b')], sourceJoin: byId };
    const load = { meanGapMs: 0, sources: [{}, { missingFraction: 1 }] };
    expect(joinedStream(spec, { load, arrivalRps: 5, rng: new SeededRng(1) }).arrivalRps).toBe(0);
  });
});
