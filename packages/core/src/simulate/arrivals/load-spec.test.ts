import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { instantsOf } from './arrivals.test-support.js';
import { arrivalsOf, type LoadSpec, loadDurationS } from './load-spec.js';
import { traceSpreads } from './trace.js';

const rps = fc.double({ min: 0, max: 200, noNaN: true });
const seconds = fc.double({ min: 0.1, max: 20, noNaN: true });
const durationS = seconds;
const states = fc.array(fc.record({ arrivalRps: rps, meanHoldS: seconds }), { minLength: 1, maxLength: 4 });
const levels = fc.array(fc.record({ arrivalRps: rps, holdS: seconds }), { minLength: 1, maxLength: 4 });
const points = fc
  .array(fc.record({ atS: fc.double({ min: 0, max: 20, noNaN: true }), arrivalRps: rps }), { maxLength: 6 })
  .map((unordered) => unordered.toSorted((a, b) => a.atS - b.atS));

const loads: fc.Arbitrary<LoadSpec> = fc.oneof(
  fc.record({ kind: fc.constant('poisson'), arrivalRps: rps, durationS }),
  fc.record({ kind: fc.constant('deterministic'), arrivalRps: rps, durationS }),
  fc.record({
    kind: fc.constant('gamma'),
    arrivalRps: rps,
    durationS,
    cv: fc.double({ min: 0.05, max: 5, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('mmpp'), states, durationS }),
  fc.record({
    kind: fc.constant('daily-cycle'),
    arrivalRps: rps,
    swingFraction: fc.double({ min: 0, max: 1, noNaN: true }),
    periodS: seconds,
    durationS,
  }),
  fc.record({ kind: fc.constant('step'), fromRps: rps, toRps: rps, atS: seconds, durationS }),
  fc.record({ kind: fc.constant('ramp'), fromRps: rps, toRps: rps, durationS }),
  fc.record({ kind: fc.constant('square-wave'), levels, durationS }),
  fc.record({ kind: fc.constant('piecewise-linear'), points }),
  fc.record({
    kind: fc.constant('trace'),
    arrivalsPerSecond: fc.array(fc.nat(50), { maxLength: 20 }),
    spread: fc.constantFrom(...traceSpreads),
  }),
);

describe('arrivalsOf', () => {
  it('gives ascending instants from 0 to before the end of the load, then nothing more (property)', () => {
    fc.assert(
      fc.property(loads, fc.nat(), (load, seed) => {
        const arrivals = arrivalsOf(load, new SeededRng(seed));
        const instants = instantsOf(arrivals);
        expect(instants).toEqual(instants.toSorted((a, b) => a - b));
        expect(instants[0] ?? 0).toBeGreaterThanOrEqual(0);
        expect(instants.at(-1) ?? -1).toBeLessThan(loadDurationS(load) * 1000);
        expect(arrivals.nextAtMs()).toBeUndefined();
      }),
      { seed: 9, numRuns: 300 },
    );
  });

  it('gives the same instants for the same seed after a way through JSON, others for another (property)', () => {
    fc.assert(
      fc.property(loads, fc.nat(), (load, seed) => {
        const copy = JSON.parse(JSON.stringify(load)) as LoadSpec;
        const instants = instantsOf(arrivalsOf(load, new SeededRng(seed)));
        expect(instantsOf(arrivalsOf(copy, new SeededRng(seed)))).toEqual(instants);
        const regular = load.kind === 'deterministic' || (load.kind === 'trace' && load.spread === 'uniform');
        const other = instantsOf(arrivalsOf(load, new SeededRng(seed + 1)));
        if (!regular && instants.length > 0 && other.length > 0) expect(other).not.toEqual(instants);
      }),
      { seed: 10, numRuns: 200 },
    );
  });
});
