/** Recommendations agree with exhaustive search. Seeds are in the names of the tests. */
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { recommend } from './recommend.js';
import {
  exhaustiveBest,
  FREE,
  isAllowed,
  randomQuestion,
  SMALLEST,
  TOLERANCE,
} from './recommend-oracle.test-support.js';

const SEEDS = Array.from({ length: 10 }, (_, index) => index + 1);

describe('recommend agrees with exhaustive search', () => {
  it.each(SEEDS.flatMap((seed) => FREE.map((free) => ({ seed, free }))))('seed $seed, $free', ({ seed, free }) => {
    const question = randomQuestion(new SeededRng(seed), SMALLEST);
    const { spec, arrivalRps, accuracyFloor, verifierOf } = question;
    const problem = { spec, profiles: [], arrivalRps, estimator: 'distribution' as const };
    const answer = recommend({ problem, accuracyFloor, verifierOf }, free);
    const expected = exhaustiveBest(question, free);
    if (expected === undefined || answer.kind === 'none') {
      expect([expected, answer.kind]).toEqual([undefined, 'none']);
      return;
    }
    const { value } = answer;
    expect(isAllowed(question, answer), `${free} ${value}`).toBe(true);
    if (free === 'cost' || free === 'accuracy') expect(value).toBeCloseTo(expected, 9);
    else if (free === 'slo') expect(value).toBeLessThanOrEqual(expected * (1 + TOLERANCE));
    else expect(value).toBeGreaterThanOrEqual(expected * (1 - TOLERANCE));
  });
});
