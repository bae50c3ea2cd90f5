/** Plans of two-looks.yaml against those of one-look.yaml, which has no second looks. */
import { expect, it } from 'vitest';
import { cheapestPlan, chosen, loadExample, measuredF1 } from './plans.test-support.js';

const oneLook = await loadExample('./one-look.yaml');
const twoLooks = await loadExample('./two-looks.yaml');
const SECOND_LOOKS = ['redetect', 'reclassify'];
const ARRIVAL_RPS = 48;
const secondLooks = (floor: number) =>
  SECOND_LOOKS.map((stage) => (chosen(cheapestPlan(twoLooks, floor, ARRIVAL_RPS), stage)?.replicas ?? 0) > 0);

it('both files measured the same for the same looks', () => {
  for (const detect of ['m', 'l1'])
    for (const classify of ['m', 'l1'])
      expect(measuredF1(twoLooks, { detect, classify, redetect: 'omitted', reclassify: 'omitted' })).toBe(
        measuredF1(oneLook, { detect, classify }),
      );
});

it('a plan omits both second looks if one look is accurate enough', () => {
  expect(secondLooks(measuredF1(oneLook, { detect: 'm', classify: 'm' }))).toEqual([false, false]);
});

it('a plan takes both second looks for almost the F1 of one look of the large models, and costs less', () => {
  const floor = measuredF1(oneLook, { detect: 'l1', classify: 'l1' }) - 0.005;
  expect(secondLooks(floor)).toEqual([true, true]);
  expect(cheapestPlan(twoLooks, floor, ARRIVAL_RPS).predicted.cpuCores).toBeLessThan(
    cheapestPlan(oneLook, floor, ARRIVAL_RPS).predicted.cpuCores,
  );
});
