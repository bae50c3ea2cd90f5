import { describe, expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import type { Plan } from '../model/plan.js';
import { planOf, smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { sustainableRps } from './plan-facts.js';

const spec = smallOrLargeSpec();
const curves = requireCurves(spec, []);
const detect = stageId('detect');

const withReplicas = (replicas: number): Plan => planOf(spec, { maxBatchSize: 1, replicas });

describe('sustainableRps', () => {
  it('is what all replicas of the stage serve back to back', () => {
    const [stage] = withReplicas(1).stages[detect] ?? [];
    const meanMs = curves.curve(detect, stage?.variantId as never, 1)?.meanMs(1) ?? 0;
    expect(sustainableRps(spec, withReplicas(1).stages, curves)).toBeCloseTo(1000 / meanMs, 9);
    expect(sustainableRps(spec, withReplicas(3).stages, curves)).toBeCloseTo(3000 / meanMs, 9);
  });

  it('is that of the stage that carries fewest requests, each of which may bring several items', () => {
    const classify = { ...(spec.stages[0] as (typeof spec.stages)[number]), id: stageId('classify') };
    const fanned = {
      ...spec,
      stages: [...spec.stages, classify],
      edges: [{ from: detect, to: stageId('classify'), fanOut: { expected: 4 } }],
      outputs: [{ from: stageId('classify') }],
    };
    const [stage] = withReplicas(3).stages[detect] ?? [];
    const both = { ...withReplicas(3), stages: { [detect]: [stage], [stageId('classify')]: [stage] } } as Plan;
    const known = requireCurves(fanned, []);
    expect(sustainableRps(fanned, both.stages, known)).toBeCloseTo(
      sustainableRps(spec, withReplicas(3).stages, curves) / 4,
      9,
    );
  });

  it('knows no bound where nothing is known of the replicas', () => {
    const unknown = { ...curves, curve: () => undefined };
    expect(sustainableRps(spec, withReplicas(1).stages, unknown)).toBe(Number.POSITIVE_INFINITY);
  });
});
