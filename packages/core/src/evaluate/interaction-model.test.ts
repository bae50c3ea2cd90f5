import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { type InteractionInput, interactionModel } from './interaction-model.js';

type Combination = readonly number[];

const VARIANTS = [0, 1, 2, 3];
const ALL: readonly Combination[] = VARIANTS.flatMap((a) => VARIANTS.flatMap((b) => VARIANTS.map((c) => [a, b, c])));
const CHAIN: InteractionInput['adjacent'] = [
  [0, 1],
  [1, 2],
];
const SAMPLES = 400;

const fractionOf = (y: number): number => 1 / (1 + Math.exp(-y));

/** Accuracies by effects of variants, and of pairs of the first two stages. */
function truthOf(seed: number, pairSize: number) {
  const rng = new SeededRng(seed);
  const effects = [0, 1, 2].map(() => VARIANTS.map(() => 2 * rng.next() - 1));
  const pairs = VARIANTS.map(() => VARIANTS.map(() => pairSize * (2 * rng.next() - 1)));
  return ([a, b, c]: Combination): number =>
    fractionOf(
      1 +
        (effects[0]?.[a as number] as number) +
        (effects[1]?.[b as number] as number) +
        (effects[2]?.[c as number] as number) +
        (pairs[a as number]?.[b as number] as number),
    );
}

/** Model of some combinations, and its root mean square error for the others. */
function trial(
  { seed, pairSize, isNoisy }: { readonly seed: number; readonly pairSize: number; readonly isNoisy: boolean },
  adjacent = CHAIN,
) {
  const truth = truthOf(seed, pairSize);
  const rng = new SeededRng(seed).fork('samples');
  // A regular half, such as all with an even sum, cannot tell pairs of the first stages from the third.
  const draw = new SeededRng(seed).fork('known');
  const known = ALL.filter(() => draw.next() < 0.5);
  const accuracyOf = (combination: Combination): number => {
    const p = truth(combination);
    if (!isNoisy) return p;
    return (
      Array.from({ length: SAMPLES }, () => Number(rng.next() < p)).reduce((sum, right) => sum + right, 0) / SAMPLES
    );
  };
  const model = interactionModel({
    measured: known.map((variants) => ({ variants, accuracy: accuracyOf(variants), samples: SAMPLES })),
    adjacent,
  });
  if (model === undefined) throw new Error('no model');
  const others = ALL.filter((each) => !known.includes(each)).map((each) => {
    const predicted = model.predict(each);
    if (predicted === undefined) throw new Error('no prediction');
    const [low, high] = predicted.confidence95;
    return { missed: predicted.accuracy - truth(each), isInside: low <= truth(each) && truth(each) <= high };
  });
  return {
    crossValidated: model.crossValidatedError,
    error: Math.sqrt(others.reduce((sum, { missed }) => sum + missed ** 2, 0) / others.length),
    inside: others.filter(({ isInside }) => isInside).length / others.length,
  };
}

const SEEDS = Array.from({ length: 10 }, (_, index) => index + 1);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('interactionModel', () => {
  it('finds accuracies that depend on the variants alone', () => {
    for (const seed of SEEDS) expect(trial({ seed, pairSize: 0, isNoisy: false }).error).toBeLessThan(0.01);
  });

  it('finds pairs of variants that fit badly, if their stages are adjacent', () => {
    const errors = SEEDS.map((seed) => [
      trial({ seed, pairSize: 1, isNoisy: false }).error,
      trial({ seed, pairSize: 1, isNoisy: false }, []).error,
    ]);
    const [paired, alone] = [0, 1].map((column) => mean(errors.map((row) => row[column] as number)));
    expect(paired).toBeLessThan(0.5 * (alone as number));
  });

  it('says how wrong it is', () => {
    const trials = SEEDS.map((seed) => trial({ seed, pairSize: 0.3, isNoisy: true }));
    const ratio = mean(trials.map(({ crossValidated }) => crossValidated)) / mean(trials.map(({ error }) => error));
    // Left-out accuracies have the noise of their own samples, too.
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.8);
    expect(mean(trials.map(({ inside }) => inside))).toBeGreaterThan(0.85);
  });

  it('has no answer about variants that were not measured, or from three combinations', () => {
    const measured = [0, 1].flatMap((a) => [0, 1].map((b) => ({ variants: [a, b], accuracy: 1, samples: 20 })));
    const model = interactionModel({ measured, adjacent: [[0, 1]] });
    expect(model?.predict([0, 2])).toBeUndefined();
    expect(model?.predict([1, 1])?.accuracy).toBeGreaterThan(0.95);
    expect(interactionModel({ measured: measured.slice(1), adjacent: [] })).toBeUndefined();
    const unsampled = measured.map((each, index) => ({ ...each, samples: index === 0 ? 0 : 20 }));
    expect(interactionModel({ measured: unsampled, adjacent: [] })).toBeUndefined();
  });

  it('compares its predictions with the accuracies as measured', () => {
    const measured = [0, 1].flatMap((a) => [0, 1].map((b) => ({ variants: [a, b], accuracy: 1, samples: 5 })));
    const model = interactionModel({ measured, adjacent: [[0, 1]] });
    // Half a wrong answer among six.
    expect(model?.crossValidatedError).toBeCloseTo(0.5 / 6, 9);
  });
});
