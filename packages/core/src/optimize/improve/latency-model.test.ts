import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Effects, LatencyModel, TrackedSum } from './latency-model.js';

const EFFECTS = 12;

const effectsOf = (chosen: readonly number[], deviation: number): Effects => ({
  keys: chosen.map((effect) => `effect ${effect}`),
  weights: Float64Array.from(chosen, (effect) => 0.2 + effect / EFFECTS),
  deviations: Float64Array.from(chosen, () => deviation),
});

const chosenEffects = fc.uniqueArray(fc.nat(EFFECTS - 1), { minLength: 1, maxLength: 6 });
/** The prior of an effect may differ between choices; the first observation decides. */
const deviations = fc.constantFrom(0.15, 0.3);

const observations = fc.array(
  fc.record({
    chosen: chosenEffects,
    deviation: deviations,
    logRatio: fc.double({ min: -2, max: 2, noNaN: true }),
    logEvidence: fc.option(fc.double({ min: -2, max: 2, noNaN: true }), { nil: undefined }),
    predicted: fc.boolean(),
  }),
  { maxLength: 30 },
);

describe('latency model', () => {
  it('predicts the same for a choice that it follows as for one that it sees for the first time', () => {
    fc.assert(
      fc.property(chosenEffects, deviations, observations, (chosen, deviation, made) => {
        const model = new LatencyModel();
        const effects = effectsOf(chosen, deviation);
        const followed = new TrackedSum(effects);
        for (const { predicted, logRatio, logEvidence, ...of } of made) {
          model.observe(effectsOf(of.chosen, of.deviation), { logRatio, logEvidence, noise: 0.1 });
          if (predicted) model.predict(followed);
        }
        const [kept, fresh] = [model.predict(followed), model.predict(new TrackedSum(effects))];
        expect(kept.ratio.mean).toBeCloseTo(fresh.ratio.mean, 9);
        expect(kept.ratio.deviation).toBeCloseTo(fresh.ratio.deviation, 7);
        expect(kept.evidence?.mean ?? 0).toBeCloseTo(fresh.evidence?.mean ?? 0, 9);
        expect(kept.evidence?.deviation ?? 0).toBeCloseTo(fresh.evidence?.deviation ?? 0, 7);
      }),
    );
  });

  it('knows an effect once an observation had it', () => {
    const model = new LatencyModel();
    const sum = new TrackedSum(effectsOf([1, 2], 0.15));
    model.observe(effectsOf([1], 0.15), { logRatio: 0.1, logEvidence: undefined, noise: 0.1 });
    expect(model.hasUnknown(sum)).toBe(true);
    model.observe(effectsOf([2], 0.15), { logRatio: 0.1, logEvidence: undefined, noise: 0.1 });
    expect(model.hasUnknown(sum)).toBe(false);
  });

  it('is surer after an observation of the same effects', () => {
    const model = new LatencyModel();
    const sum = new TrackedSum(effectsOf([3, 4], 0.15));
    const before = model.predict(sum).ratio;
    model.observe(sum.effects, { logRatio: 0.5, logEvidence: 0.2, noise: 0.05 });
    const after = model.predict(sum).ratio;
    expect(after.mean).toBeGreaterThan(before.mean);
    expect(after.deviation).toBeLessThan(before.deviation);
  });
});
