/**
 * How many items a fan-out gives. With a distribution the number is its quantile; an expected number alone gives its floor or its
 * ceiling, with that mean: the least spread that there can be.
 */
import type { EdgeSpec } from '../model/pipeline-spec.js';

/** The number of items (≥ 0) at a uniform chance in [0, 1). */
export function fanOutItems({ expected, distribution }: NonNullable<EdgeSpec['fanOut']>): (chance: number) => number {
  if (distribution === undefined) {
    const floor = Math.floor(expected);
    return (chance) => (chance < expected - floor ? floor + 1 : floor);
  }
  let sum = 0;
  const upTo = distribution.map((fraction) => {
    sum += fraction;
    return sum;
  });
  // Fractions are rounded where people write them, so they are taken relative to their sum.
  return (chance) => upTo.findIndex((fraction) => chance * sum < fraction);
}
