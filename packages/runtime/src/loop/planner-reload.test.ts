/** Planning with a reloaded spec of the same pipeline. */
import { type PipelineSpec, stageId, variantId } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import { servingSpec } from '../data-plane/serving-bench.test-support.js';
import { Planner } from './planner.js';
import { PlanningSession } from './planning-session.js';

const points = [
  { cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 12 },
  { cpuCores: 1, batchSize: 4, meanMs: 30, p99Ms: 36 },
];
const variant = { cpuCores: [1], memoryBytes: 0, gpus: 0, parameters: {}, profile: points };
const bounds = { minReplicas: 1, maxReplicas: 8, maxBatchWaitMs: 0 };

/** Two variants; the more accurate one takes three times as long. */
function specOf(more: Partial<PipelineSpec>): PipelineSpec {
  const slow = points.map((point) => ({ ...point, meanMs: 3 * point.meanMs, p99Ms: 3 * point.p99Ms }));
  const variants = [
    { ...variant, id: variantId('small'), accuracy: { value: 0.5, metric: 'f1' } },
    { ...variant, id: variantId('large'), accuracy: { value: 0.9, metric: 'f1' }, profile: slow },
  ];
  const stages = [{ id: stageId('a'), kind: 'model' as const, variants, bounds, pins: {} }];
  return servingSpec(['a'], { stages, budget: { cpuCores: 1 }, ...more });
}

const tight = specOf({});
const roomy = specOf({ budget: { cpuCores: 6 } });
const setup = { spec: tight, profiles: [], hostCores: 1, seed: 1 };
const plan = { kind: 'plan', policy: 'equipoise', arrivalRps: 60, verify: false } as const;
const planners: Planner[] = [];

afterEach(async () => {
  await Promise.all(planners.splice(0).map((planner) => planner.close()));
});

const variantOf = (result: { readonly kind: string; readonly plan?: { readonly stages: PlanStages } }) =>
  result.plan?.stages['a']?.[0]?.variantId;
type PlanStages = Readonly<Record<string, readonly { readonly variantId: string }[]>>;

describe('an session', () => {
  it('plans by the description that it was given last', () => {
    const session = new PlanningSession(setup);
    expect(variantOf(session.answer(plan))).toBe('small');
    session.answer({ kind: 'reload', spec: roomy, hostCores: 6 });
    expect(variantOf(session.answer(plan))).toBe('large');
  });

  it('decides by it, too', () => {
    const session = new PlanningSession(setup);
    const observation = {
      ...{ load: { arrivalsPerSecond: new Array<number>(30).fill(60) }, stages: {}, staleSources: [] },
      runningPlan: { stages: {} },
    };
    const tick = (atMs: number) =>
      session.answer({ kind: 'tick', observation: { ...observation, atMs }, executes: true, changedByHand: false });
    const planned = (atMs: number) => {
      const { decision } = tick(atMs);
      return decision?.kind === 'apply' ? variantOf({ kind: 'feasible', plan: decision.plan }) : decision?.kind;
    };
    expect(planned(0)).toBe('small');
    session.answer({ kind: 'reload', spec: roomy, hostCores: 6 });
    expect(planned(10_000)).toBe('large');
  });

  it('goes on as before where there is no profile for it', () => {
    const session = new PlanningSession(setup);
    const { profile: _, ...unprofiled } = variant;
    const stages = [
      {
        id: stageId('a'),
        kind: 'model' as const,
        variants: [{ ...unprofiled, id: variantId('new') }],
        bounds,
        pins: {},
      },
    ];
    expect(() => session.answer({ kind: 'reload', spec: specOf({ stages }), hostCores: 1 })).toThrow(
      expect.objectContaining({ code: 'PROFILE_MISSING' }),
    );
    expect(variantOf(session.answer(plan))).toBe('small');
  });
});

describe('a planner', () => {
  it('keeps to the new description when its thread has to be started anew', async () => {
    const planner = new Planner(setup);
    planners.push(planner);
    expect(variantOf(await planner.ask(plan))).toBe('small');
    await planner.reload({ spec: roomy, hostCores: 6 });
    expect(variantOf(await planner.ask(plan))).toBe('large');
    await planner.close();
    expect(variantOf(await planner.ask(plan))).toBe('large');
  });
});
