import fc from 'fast-check';
import { expect, it } from 'vitest';
import { orderStatistic } from './order-statistic.js';

it('is the value that a sort puts at the rank, also if many values are equal or infinite', () => {
  const value = fc.oneof(
    fc.double({ min: 0, max: 1e6, noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, 1, 2.5, Number.POSITIVE_INFINITY),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), fc.nat(), (drawn, any) => {
      const rank = any % drawn.length;
      const values = Float64Array.from(drawn);
      expect(orderStatistic(values, rank)).toBe(Float64Array.from(drawn).sort()[rank]);
      // The values stay, for the next question.
      expect(values.sort()).toEqual(Float64Array.from(drawn).sort());
    }),
  );
});
