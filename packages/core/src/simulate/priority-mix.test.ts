import { expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { priorityMix } from './priority-mix.js';

it('draws each priority as often as the mix says, the same for the same number', () => {
  const draw = priorityMix([0.1, 0.6, 0.3], new SeededRng(1));
  const drawn = Array.from({ length: 10_000 }, (_, sequence) => draw(sequence));
  for (const [priority, fraction] of [
    [1, 0.1],
    [2, 0.6],
    [3, 0.3],
  ] as const)
    expect(drawn.filter((each) => each === priority).length / drawn.length).toBeCloseTo(fraction, 1);
  expect(draw(17)).toBe(drawn[17]);
  expect(() => priorityMix([0.5], new SeededRng(1))).toThrow('sum to 1');
});
