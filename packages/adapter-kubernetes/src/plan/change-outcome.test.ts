import { type Plan, stageId } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import type { InferencePipelineStatus, PipelineCondition } from '../crd/status-schema.js';
import {
  NOW_EPOCH_MS,
  objectsOf,
  planWith,
  shelf,
  wantedBy,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { LoopRig, routerPod } from './plan-loop.test-support.js';

let rig: LoopRig;

afterEach(() => rig.plans.close());

const timeText = (afterS: number) => new Date(NOW_EPOCH_MS + 1000 * afterS).toISOString().replace('.000', '');

const variantOf = (plan: Plan) => plan.stages[stageId('detect')]?.[0]?.variantId;

async function planned() {
  const answer = await rig.pass();
  if (answer.kind !== 'plan') throw new Error(`no plan: ${JSON.stringify(answer)}`);
  return answer;
}

/** Loop that resumes a plan of `large`, over a router that sends to `small`. */
async function started(): Promise<void> {
  const status = { observedGeneration: 3, plan: planWith('large', 3), plannedAt: timeText(-60), plannedForRps: 20 };
  rig = new LoopRig({ status });
  rig.children = [...objectsOf(await wantedBy(shelf(), planWith('small', 4)))];
  rig.pods = [routerPod('router-1')];
  rig.rps = 20;
}

function tell(status: InferencePipelineStatus): void {
  rig.pipeline = { ...rig.pipeline, status: { ...rig.pipeline.status, ...status } };
}

const lastChanges = () =>
  (rig.planners[0]?.observations ?? []).flatMap(({ lastChange }) =>
    lastChange === undefined ? [] : [lastChange.kind],
  );

const READY = { type: 'Ready', status: 'True' } as PipelineCondition;

describe('a new variant that failed on the cluster', { timeout: 60_000 }, () => {
  const rollback = {
    ...{ workloads: ['shelf--detect--large'], fraction: 0.1, message: 'too slow', failures: 1, generation: 3 },
    ...{ at: timeText(0), until: timeText(60) },
  };

  it('gives way to what the router sends to, and is not planned while it is left alone', async () => {
    await started();
    expect(variantOf((await planned()).plan)).toBe('large');
    tell({ rollback });
    const back = await planned();
    expect([variantOf(back.plan), back.plan.stages[stageId('detect')]?.[0]?.replicas]).toEqual(['small', 4]);
    for (let second = 0; second < 55; second++) {
      await rig.seconds(1);
      expect(variantOf((await planned()).plan)).toBe('small');
    }
    // The policy knows the back-off, so it requests no plan that would be refused.
    expect(rig.decisions.some((each) => each.kind === 'apply' && variantOf(each.plan) === 'large')).toBe(false);
    expect(lastChanges()).toEqual([]);
    // A switch must also suit the rates of the last minute.
    await rig.seconds(70);
    expect(variantOf((await planned()).plan)).toBe('large');
  });

  it('is asked for once an interval, and refused, if no other variant reaches the accuracy floor', async () => {
    await started();
    const { spec } = rig.pipeline;
    rig.pipeline = { ...rig.pipeline, spec: Object.assign({}, spec, { objective: 'min-cost', accuracyFloor: 0.6 }) };
    tell({ rollback });
    await rig.pass();
    await rig.seconds(45);
    expect(variantOf((await planned()).plan)).toBe('small');
    const refused = lastChanges().filter((kind) => kind === 'given-up').length;
    expect([refused >= 2, refused <= 5]).toEqual([true, true]);
  });

  it('is told to the policy as a change that failed, which holds improvements back', async () => {
    await started();
    rig.pipeline = shelf({ status: { ...rig.pipeline.status, plan: planWith('small', 4) } });
    await rig.pass();
    await rig.seconds(25);
    expect(variantOf((await planned()).plan)).toBe('large');
    const before = rig.decisions.length;
    tell({ rollback: { ...rollback, until: timeText(60) } });
    expect(variantOf((await planned()).plan)).toBe('small');
    // Variants dwell for at least 20 s anyway.
    await rig.seconds(35);
    expect(lastChanges()).toEqual(['failed']);
    expect(
      rig.decisions
        .slice(before)
        .map(({ reason }) => reason)
        .join(),
    ).toMatch(/had to be taken back/);
  });
});

describe('a plan', { timeout: 60_000 }, () => {
  it('counts as carried out when everything runs as it says, once', async () => {
    await started();
    rig.pipeline = shelf({ status: { ...rig.pipeline.status, plan: planWith('small', 4) } });
    await rig.pass();
    await rig.seconds(25);
    expect(variantOf((await planned()).plan)).toBe('large');
    tell({ conditions: [READY] });
    await rig.seconds(5);
    expect(lastChanges()).toEqual([]);
    tell({ plan: (await planned()).plan });
    await rig.seconds(12);
    expect(lastChanges()).toEqual(['applied']);
    await rig.seconds(12);
    expect(lastChanges()).toEqual(['applied']);
  });

  it('is not changed but for a burst while requests come to it in steps', async () => {
    await started();
    await rig.pass();
    tell({ shift: { workloads: ['shelf--detect--large'], fraction: 0.1 } });
    await rig.seconds(12);
    expect(rig.planners[0]?.observations.at(-1)).toMatchObject({ changing: true });
  });
});
