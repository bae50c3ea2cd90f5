import { expect, it } from 'vitest';
import { type DropCheck, dropCheck, firstSeedOf, holdsAtPlannedRate, holdsInOverload } from './drop-check.js';

const INSTANCES = 8;
/** Of a commit before these tests. */
const firstSeed = firstSeedOf('48517aa5');

it('drops lose at most a point of attainment, and keep 90 % of the capacity in overload', { timeout: 300_000 }, () => {
  const found: DropCheck[] = [];
  for (let seed = firstSeed; found.length < INSTANCES; seed++) {
    const check = dropCheck(seed);
    if (check !== undefined) found.push(check);
  }
  expect(found.filter((check) => !holdsAtPlannedRate(check))).toEqual([]);
  expect(found.filter((check) => !holdsInOverload(check))).toEqual([]);
});
