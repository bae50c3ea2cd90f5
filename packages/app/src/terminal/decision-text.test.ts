import {
  type DecisionOutcome,
  type DecisionRecord,
  type ObservedOutcome,
  type Plan,
  stageId,
  variantId,
} from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { decisionText, learnedEdgeText, unexplainedMiss } from './decision-text.js';

const edge = {
  ...{ edge: 0, from: stageId('detect'), to: stageId('classify'), kind: 'fan-out' as const },
  ...{ value: 5.9398, stated: 3, standardError: 0.0712, outputs: 1200 },
};

it('tells what traffic has taught of an edge, and that the file says otherwise', () => {
  expect(learnedEdgeText(edge)).toBe(
    'detect → classify: 5.94 items per output (the file says 3; ±0.0712, from 1200 outputs)',
  );
  expect(learnedEdgeText({ ...edge, kind: 'branch', value: 0.62, stated: 0.3 })).toBe(
    'detect → classify: taken by 0.62 of the outputs (the file says 0.3; ±0.0712, from 1200 outputs)',
  );
});

it('tells what a decision rested on in place of the profile and the pipeline file', () => {
  const evidence = { forecast: { method: 'given', meanRps: 4, upperRps: 5 }, learnedEdges: [edge] };
  const observation = { atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, runningPlan: { stages: {} } };
  const record = {
    ...{ id: 1, atEpochMs: 0, observation: { ...observation, staleSources: [] } },
    decision: { kind: 'hold' as const, reason: 'good', evidence },
  };
  const correction = (variant: string, batchSize: number, factor: number) => ({
    ...{ stageId: stageId('detect'), variantId: variantId(variant), cpuCores: 2, batchSize, factor },
  });
  const corrections = [correction('small', 1, 1.4), correction('small', 4, 2), correction('large', 1, 0.5)];
  const text = decisionText({ pipelineName: 'p', record: { ...record, input: { corrections, state: {} } } });
  const lines = text.slice(text.indexOf('Learned')).split('\n');
  expect(lines[1]).toBe('measured service times relative to the profile');
  const cells = (line = '') => line.split(/[│|]/).map((cell) => cell.trim());
  const rows = lines.map(cells).filter(([, first = '']) => first.startsWith('detect/') || first === 'variant');
  expect(rows.map((row) => row.slice(1, -1))).toEqual([
    ['variant', 'cores', 'batch of 1', 'batch of 4'],
    ['detect/small', '2', '1.40 ×', '2.00 ×'],
    ['detect/large', '2', '0.50 ×', ''],
  ]);
  expect(text).toContain(`\n${learnedEdgeText(edge)}`);
  const { learnedEdges: _, ...plain } = evidence;
  const untaught = { ...record, decision: { ...record.decision, evidence: plain } };
  expect(decisionText({ pipelineName: 'p', record: untaught })).not.toContain('Learned');
});

it('says that changes were given up, and what was under way and had failed when it was decided', () => {
  const observation = { atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, runningPlan: { stages: {} } };
  const record = {
    ...{ id: 2, atEpochMs: 0, observation: { ...observation, staleSources: [], changing: true, failedTotal: 3 } },
    decision: {
      kind: 'hold' as const,
      reason: 'good',
      evidence: { forecast: { method: 'f', meanRps: 1, upperRps: 2 } },
    },
    outcome: { kind: 'given-up' as const, message: 'the mode is off now' },
  };
  const text = decisionText({ pipelineName: 'p', record });
  expect(text).toContain('\nthe changes of the previous decision were under way\n3 requests failed since the start\n');
  expect(text).toContain('\ngiven up: the mode is off now');
});

it('names a best plan as passed over only where it is another than what runs', () => {
  const stage = (replicas: number) => ({
    ...{ variantId: variantId('small'), replicas, resources: { cpuCores: 1 }, maxBatchSize: 4, maxBatchWaitMs: 0 },
  });
  const planOf = (replicas: number) =>
    ({ stages: { detect: [stage(replicas)] }, predicted: { pas: 0.8, costPerHour: 2 } }) as unknown as Plan;
  const replica = { replicaId: 'r1', variantId: variantId('small'), resources: { cpuCores: 1 }, status: 'ready' };
  const running = { detect: { replicas: [replica], maxBatchSize: 4, maxBatchWaitMs: 0 } };
  const observation = { atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, staleSources: [] };
  const evidence = { forecast: { method: 'given', meanRps: 4, upperRps: 5 } };
  const told = (plan: Plan, passedOver?: { readonly plan: Plan; readonly reason: string }) =>
    decisionText({
      pipelineName: 'p',
      record: {
        ...{ id: 1, atEpochMs: 0, observation: { ...observation, runningPlan: { stages: running } } },
        decision: { kind: 'hold', reason: 'r', evidence: { ...evidence, ...(passedOver && { passedOver }) } },
      } as unknown as DecisionRecord,
      why: { explanation: { stages: { detect: {} } }, plan, objective: { kind: 'max-accuracy' } } as never,
    });
  const same = told(planOf(1));
  expect(same).not.toContain('Passed over');
  expect(same).not.toContain('best plan');
  expect(same).toContain('\nWhy other variants lost\ndetect runs small\n');
  expect(told(planOf(2))).toContain('\nPassed over\nthe best plan: detect=small, accuracy 0.800, 2.00 per hour\n');
  const over = told(planOf(1), { plan: planOf(3), reason: 'too soon' });
  expect(over).toContain('\nPassed over\ndetect=small, accuracy 0.800, 2.00 per hour: too soon\n');
  expect(over).not.toContain('best plan');
});

it('says that a plan misses the SLO at a load that it should carry', () => {
  const plan = { predicted: { capacityRps: 500, percentile: 99 } } as Plan;
  const observed: ObservedOutcome = {
    ...{ windowMs: 10_000, arrivalRps: 50, completed: 400, failed: 0, dropped: 100 },
    sloAttainmentFraction: 0.8,
  };
  expect(unexplainedMiss(plan, observed)).toBe(
    'only 80.0 % of the requests met the SLO at 50.0 rps, although the plan can carry 500.0 rps: probably other work keeps its machine busy. End that work, or serve on a machine with more cores.',
  );
  expect(unexplainedMiss(undefined, observed)).toBeUndefined();
  for (const other of [{ sloAttainmentFraction: 0.99 }, { arrivalRps: 450 }, { completed: 8, dropped: 2 }])
    expect(unexplainedMiss(plan, { ...observed, ...other })).toBeUndefined();
  const failing = { ...observed, completed: 400, failed: 100, dropped: 0 };
  expect(unexplainedMiss(plan, failing)).toBeUndefined();
  expect(unexplainedMiss(plan, { ...failing, completed: 0, failed: 500, sloAttainmentFraction: 0 })).toBeUndefined();
  expect(unexplainedMiss(plan, { ...failing, sloAttainmentFraction: 0.7 })).toMatch(/^only 70.0 % /);
});

it('measures an outcome by the plan of its decision only if the plan was put in force', () => {
  const predicted = { capacityRps: 500, percentile: 99, latencyMs: 10, pas: 1, costPerHour: 1, cpuCores: 1 };
  const record = {
    ...{ id: 1, atEpochMs: 0, observation: { atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, staleSources: [] } },
    decision: {
      ...{ kind: 'apply', reason: 'r', changes: [], plan: { stages: {}, predicted } },
      evidence: { forecast: { method: 'f', meanRps: 1, upperRps: 2 } },
    },
  };
  const observation = { ...record.observation, runningPlan: { stages: {} } };
  const observed = { windowMs: 10_000, arrivalRps: 50, completed: 400, failed: 0, dropped: 100 };
  const textOf = (outcome?: DecisionOutcome) =>
    decisionText({
      pipelineName: 'p',
      record: {
        ...{ ...record, observation, observed: { ...observed, sloAttainmentFraction: 0.8 } },
        ...(outcome && { outcome }),
      } as unknown as DecisionRecord,
    });
  const blame = 'probably other work keeps its machine busy';
  expect(textOf({ kind: 'applied', tookMs: 1 })).toContain(blame);
  expect(textOf({ kind: 'given-up', message: 'a burst' })).not.toContain(blame);
  expect(textOf()).not.toContain(blame);
});

it('says when the first outcome is recorded', () => {
  const observation = { atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, runningPlan: { stages: {} } };
  const record = { id: 1, atEpochMs: 0, observation: { ...observation, staleSources: [] } };
  expect(decisionText({ pipelineName: 'p', record })).toContain(
    '\nno outcome was observed yet: the loop records the first at its first tick after 10 s',
  );
});
