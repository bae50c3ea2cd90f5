/** Measured accuracies and plans of one-view.yaml, whose variants `l1` look at one view instead of several. */
import { expect, it } from 'vitest';
import { cheapestPlan, chosen, loadExample, measuredF1 } from './plans.test-support.js';

const spec = await loadExample('./one-view.yaml');
const oneLookF1 = (detect: string, classify: string) => measuredF1(spec, { detect, classify, reclassify: 'omitted' });

it.each(['m', 'l1', 'l'])('one view classifies as accurately as four behind detect %s', (detect) => {
  expect(Math.abs(oneLookF1(detect, 'l1') - oneLookF1(detect, 'l'))).toBeLessThan(0.01);
});

it('the cheapest plan with the F1 of four views does not look at four', () => {
  expect(chosen(cheapestPlan(spec, oneLookF1('l', 'l')), 'classify')?.variantId).not.toBe('l');
});

it('a plan may omit the second look', () => {
  expect(chosen(cheapestPlan(spec, oneLookF1('l1', 'm')), 'reclassify')?.replicas).toBe(0);
});
