import { expect, it } from 'vitest';
import { stageId, variantId } from '../model/ids.js';
import type { ProfilePoint } from '../model/profile-point.js';
import { meanHalfWidthFraction, profileEvidence } from './profile-evidence.js';
import { scaledPoint, scaleProfile } from './scale-profile.js';

const point = (batchSize: number, meanUncertaintyFraction?: number): ProfilePoint => ({
  cpuCores: 1,
  batchSize,
  meanMs: 10 * batchSize,
  ...(meanUncertaintyFraction === undefined ? {} : { meanUncertaintyFraction }),
});

const profile = (variant: string, points: readonly ProfilePoint[]) => ({
  stageId: stageId('a'),
  variantId: variantId(variant),
  points,
  loadMs: 0,
});

it('names the points beyond the limit, widest first', () => {
  const profiles = [
    profile('small', [point(1, 0.02), point(4, 0.58)]),
    profile('large', [point(1), point(2, Number.POSITIVE_INFINITY), point(8, 0.1)]),
  ];
  expect(profileEvidence(profiles)).toEqual({
    uncertainPoints: [
      { stageId: 'a', variantId: 'large', cpuCores: 1, batchSize: 2 },
      { stageId: 'a', variantId: 'small', cpuCores: 1, batchSize: 4, halfWidthFraction: 0.58 },
    ],
  });
});

it('names profiles of another machine', () => {
  const small = profile('small', [point(1, 0.02)]);
  expect(profileEvidence([small])).toEqual({});
  expect(profileEvidence([small, scaleProfile(small, { factor: 1.5, measuredOn: 'other' })])).toEqual({
    scaledProfiles: [{ stageId: 'a', variantId: 'small', factor: 1.5, measuredOn: 'other' }],
  });
});

it('knows nothing of a point that was not measured, and that a stored Infinity reads as null', () => {
  expect(meanHalfWidthFraction(point(1))).toBeUndefined();
  const stored = JSON.parse(JSON.stringify(point(1, Number.POSITIVE_INFINITY))) as ProfilePoint;
  expect(meanHalfWidthFraction(stored)).toBe(Number.POSITIVE_INFINITY);
});

it('stays with a scaled point', () => {
  expect(scaledPoint(point(2, 0.3), 4).meanUncertaintyFraction).toBe(0.3);
});
