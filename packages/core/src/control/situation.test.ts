import { describe, expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { stageId, variantId } from '../model/ids.js';
import { smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { type ControllerRules, controlPolicies } from './rules.js';
import { correctedRules } from './situation.js';

const spec = smallOrLargeSpec();
const point = { stageId: stageId('detect'), variantId: variantId('small'), cpuCores: 1, batchSize: 1 };
const partsFor: NonNullable<ControllerRules['partsFor']> = (profiles, of) => {
  const curves = requireCurves(of, profiles);
  return { profiles, curves, verifierAt: verifiersOf({ spec: of, curves, hostCores: 8, seed: 1 }) };
};

describe('rules by what was learned', () => {
  it('are the same object, with all that is remembered by it, after a look by what was in force before', () => {
    const rules = {
      spec,
      ...partsFor([], spec),
      partsFor,
      policy: controlPolicies.equipoise,
      forecaster: smoothedRate,
    };
    const slower = (factor: number) => correctedRules(rules, { corrections: [{ ...point, factor }] });
    const [before, inForce] = [slower(1.5), slower(2)];
    expect(inForce).not.toBe(before);
    expect(slower(1.5)).toBe(before);
    expect(slower(2)).toBe(inForce);
  });

  it('are robust to the larger of what was learned and the factor of the pipeline file', () => {
    const robust = { ...spec, robustness: { serviceFactor: 1.3 } };
    const policy = controlPolicies.equipoise;
    const rules = { spec: robust, ...partsFor([], robust), partsFor, policy, forecaster: smoothedRate };
    const timesAt = (factor: number) => {
      const { curves } = correctedRules(rules, { corrections: [{ ...point, factor }] });
      return [curves, curves.robust].map((of) =>
        Math.round(of?.curve(point.stageId, point.variantId, 1)?.meanMs(1) ?? 0),
      );
    };
    expect(timesAt(0.5)).toEqual([5, 13]);
    expect(timesAt(1.2)).toEqual([12, 13]);
    expect(timesAt(2)).toEqual([20, 20]);
  });
});
