import { expect, it } from 'vitest';
import { totalUse } from './resource-use.js';

it('adds cores and costs without the noise of binary fractions', () => {
  const tenth = [0.1, 1, 0, 0.1] as const;
  expect(totalUse([tenth, tenth, tenth])).toEqual([0.3, 3, 0, 0.3]);
  expect(totalUse([[Number.POSITIVE_INFINITY, 0, 0, 1]])[0]).toBe(Number.POSITIVE_INFINITY);
});
