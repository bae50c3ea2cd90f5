import { describe, expect, it } from 'vitest';
import type { Observation } from '../model/decision.js';
import { replicaId, stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { RunningPlan } from '../model/running-plan.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { curvesOf } from '../profile/curves-of.js';
import { planVerifier } from '../simulate/plan-verifier.js';
import { type ControlContext, onTick } from './on-tick.js';

/** One stage on at most two cores: `small` serves up to 200 rps at 0.6, `large` up to 40 rps at 0.9. */
const spec: PipelineSpec = (() => {
  const chain = chainSpec({ detect: [] });
  const variant = (name: string, value: number, meanMs: number) => ({
    id: variantId(name),
    accuracy: { value, metric: 'f1' },
    cpuCores: [1],
    memoryBytes: 0,
    gpus: 0,
    profile: [{ cpuCores: 1, batchSize: 1, meanMs, p99Ms: meanMs * 1.2 }],
    parameters: {},
  });
  const variants = [variant('small', 0.6, 10), variant('large', 0.9, 50)];
  return {
    ...chain,
    budget: { cpuCores: 2 },
    stages: chain.stages.map((stage) => ({ ...stage, variants })),
    control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 20_000 },
  };
})();

const context: ControlContext = {
  spec,
  profiles: [],
  verifierAt: (arrivalRps) => {
    const curves = curvesOf(spec, []);
    if (curves.kind === 'invalid') throw new Error('the spec has inline profiles');
    return planVerifier({
      spec,
      curves,
      arrivalRps,
      hostCores: Number.POSITIVE_INFINITY,
      seed: 1,
      workStageRequests: 20_000,
    });
  },
};

function running(variant: string, replicas: number): RunningPlan {
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  const replica = (i: number) => ({
    replicaId: replicaId(`r${i}`),
    variantId: variantId(variant),
    resources,
    status: 'ready' as const,
  });
  const stage = {
    replicas: Array.from({ length: replicas }, (_, i) => replica(i)),
    maxBatchSize: 1,
    maxBatchWaitMs: 0,
  };
  return { stages: { [stageId('detect')]: stage } };
}

function observe(rps: number, runningPlan: RunningPlan, over: Partial<Observation> = {}): Observation {
  const detect = { queueLength: 0, droppedTotal: 0, variantSinceMs: 0 };
  return {
    atMs: 60_000,
    load: { arrivalsPerSecond: new Array<number>(60).fill(rps) },
    stages: { [stageId('detect')]: detect },
    runningPlan,
    staleSources: [],
    ...over,
  };
}

describe('onTick', () => {
  it('switches to the more accurate variant when the load leaves room', () => {
    const decision = onTick(context, observe(5, running('small', 1)));
    expect(decision).toMatchObject({
      kind: 'apply',
      changes: [{ kind: 'switch-variant', to: { variantId: 'large' } }],
    });
  });

  it('switches to the cheaper variant before the load exceeds what the accurate one can carry', () => {
    const decision = onTick(context, observe(60, running('large', 2)));
    expect(decision).toMatchObject({
      kind: 'apply',
      changes: [{ kind: 'switch-variant', to: { variantId: 'small' } }],
    });
  });

  it('holds when the best plan is already running', () => {
    const first = onTick(context, observe(5, running('small', 1)));
    const replicas = first.kind === 'apply' ? (first.plan.stages[stageId('detect')]?.[0]?.replicas ?? 0) : 0;
    expect(onTick(context, observe(5, running('large', replicas)))).toMatchObject({ kind: 'hold' });
  });

  it('does not switch up again so soon, and switches down without regard to the dwell time', () => {
    const recent = { queueLength: 0, droppedTotal: 0, variantSinceMs: 55_000 };
    const stages = { [stageId('detect')]: recent };
    expect(onTick(context, observe(5, running('small', 1), { stages }))).toMatchObject({ kind: 'hold' });
    expect(onTick(context, observe(60, running('large', 2), { stages }))).toMatchObject({ kind: 'apply' });
  });

  it('changes nothing on stale input', () => {
    const decision = onTick(context, observe(60, running('large', 1), { staleSources: ['load'] }));
    expect(decision).toMatchObject({ kind: 'hold', reason: 'no fresh input from load' });
  });

  it('applies the best effort and says what binds when nothing meets the SLO', () => {
    const decision = onTick(context, observe(500, running('large', 1)));
    expect(decision.kind).toBe('apply');
    expect(decision.kind === 'apply' && decision.reason).toContain('best effort');
  });
});
