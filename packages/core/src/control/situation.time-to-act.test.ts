import { describe, expect, it } from 'vitest';
import type { StartTimes } from '../model/decision.js';
import { replicaId, stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { RunningPlan } from '../model/running-plan.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { Situation } from './situation.js';
import { observe, spec as quickSpec, rulesFor, running, steady } from './step-bench.test-support.js';

const answer = stageId('answer');
const point = { cpuCores: 1, batchSize: 1, meanMs: 2200 };

/** A replica serves 1 / 2.2 rps. */
function slowSpec(sloMs: number, loadMs: number): PipelineSpec {
  const chain = chainSpec({ answer: [point] });
  const stages = chain.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({ ...variant, loadMs })),
  }));
  return { ...chain, stages, slo: { latencyMs: sloMs, percentile: 99 } };
}

function situationOf(
  spec: PipelineSpec,
  replicas: number,
  starts: readonly StartTimes[] = [],
  others: RunningPlan['stages'] = {},
): Situation {
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  const all = Array.from({ length: replicas }, (_, i) => ({
    ...{ replicaId: replicaId(`r${i}`), variantId: variantId('v'), resources, status: 'ready' as const },
  }));
  const runningPlan = { stages: { ...others, [answer]: { replicas: all, maxBatchSize: 1, maxBatchWaitMs: 0 } } };
  const observation = { ...observe(0, { counts: [], running: runningPlan }), stages: {} };
  return new Situation({ rules: rulesFor(spec), observation, plannedRates: undefined, starts });
}

describe('horizonMs', () => {
  it('is the interval and two seconds where replicas start and answer within those', () => {
    const observation = observe(0, { counts: steady(20), running: running(3) });
    const quick = new Situation({ rules: rulesFor(quickSpec), observation, plannedRates: undefined });
    expect(quick.actsSlowly).toBe(false);
    expect(quick.horizonMs(1000)).toBe(12_000);
    expect(quick.restMs).toBe(quickSpec.control.minDwellMs);
  });

  it('covers the start, a service time and the draining of the queue', () => {
    const slow = situationOf(slowSpec(9400, 2000), 10);
    expect(slow.actsSlowly).toBe(true);
    // D = 2 + 2.2 s, W = 9.4 − 2.2 s.
    expect(slow.horizonMs(10 / 2.2)).toBeCloseTo(10_000 + 4200 + 4200 ** 2 / (2 * 7200), 6);
    expect(slow.restMs).toBe(slow.horizonMs(0));
  });

  it('grows with the replicas that have to start, some at a time, and with a tighter SLO', () => {
    const slow = situationOf(slowSpec(9400, 2000), 10);
    const acts = 5 * 2000 + 2200;
    expect(slow.horizonMs(20 / 2.2)).toBeCloseTo(10_000 + acts + acts ** 2 / (2 * 7200), 6);
    // The queue may take as long to drain as to build up.
    expect(situationOf(slowSpec(2500, 2000), 10).horizonMs(10 / 2.2)).toBe(10_000 + 2 * 4200);
    expect(slow.horizonMs(1e6)).toBe(70_000);
  });

  it('does not count an omitted stage', () => {
    const [huge, vote] = [stageId('huge'), stageId('vote')];
    const slow = slowSpec(9400, 2000);
    const { stages } = chainSpec({ huge: [{ ...point, meanMs: 9000 }] });
    const spec: PipelineSpec = {
      ...slow,
      sources: [{ name: 'in', to: [answer, huge], tensors: [] }],
      stages: [...slow.stages, ...stages.map((stage) => ({ ...stage, optional: true as const }))],
      combines: [{ id: vote, method: 'vote', tensor: 'label', output: 'label' }],
      edges: [answer, huge].map((from) => ({ from, to: vote })),
      outputs: [{ from: vote }],
    };
    const of = { replicas: [], maxBatchSize: 1, maxBatchWaitMs: 0, omitted: true as const };
    expect(situationOf(spec, 10, [], { [huge]: of }).horizonMs(10 / 2.2)).toBe(
      situationOf(slow, 10).horizonMs(10 / 2.2),
    );
  });

  it('follows learned start times', () => {
    const of = { stageId: answer, variantId: variantId('v') };
    const learned = [{ ...of, startMs: [8000], atOnce: 5 }];
    const acts = 2 * 8000 + 2200;
    expect(situationOf(slowSpec(9400, 0), 10, learned).horizonMs(20 / 2.2)).toBeCloseTo(10_000 + 2 * acts, 6);
  });
});
