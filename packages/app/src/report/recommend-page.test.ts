import { type Plan, stageId, variantId } from '@equipoise/core/model';
import type { FreeQuantity, PlanningProblem } from '@equipoise/core/plan';
import { expect, it } from 'vitest';
import type { Answer } from '../recommend/recommend-task.js';
import { answerRows } from '../recommend/recommendation.js';
import { htmlPage, plotsOf } from './page/html-page.js';
import { recommendPage } from './recommend-page.js';
import { HOSTILE } from './sample-run.test-support.js';

const part = {
  ...{ variantId: variantId(HOSTILE), resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 }, maxBatchSize: 1 },
  ...{ maxBatchWaitMs: 0, replicas: 2, trafficFraction: 1 },
};
const predicted = { latencyMs: 90, percentile: 99, pas: 0.8, capacityRps: 30, cpuCores: 2, costPerHour: 2 };
const plan: Plan = { stages: { [stageId('a')]: [part] }, predicted };
const problem = {
  arrivalRps: 20,
  spec: { name: HOSTILE, slo: { latencyMs: 100, percentile: 99 } },
} as unknown as PlanningProblem;

const found = (free: FreeQuantity, value: number, at?: Answer['at']): Answer => ({
  recommended: { kind: 'found', free, value, plan, problem },
  ...(at && { at }),
});
const none = (kind: 'infeasible' | 'not-found'): Answer => ({
  recommended: {
    ...{ kind: 'none', free: 'accuracy' },
    result: {
      ...(kind === 'infeasible' ? { kind, proven: true as const } : { kind, tried: 7 }),
      ...{ bindingConstraint: 'budget' as const, fixes: { budget: { cpuCores: 3 }, accuracyFloor: 0.5 } },
    },
  },
});
const page = (answers: readonly Answer[], notes: readonly string[] = []) =>
  recommendPage({ pipeline: HOSTILE, asked: '20 rps, p99 within 100 ms', answers, notes });

it('has a row per answer, and tells a proof from a search without a plan', () => {
  const shown = page([found('cost', 2), none('infeasible'), none('not-found')], ['one note', 'another']);
  const html = htmlPage(shown);
  expect(html).toContain('<td>2.00 per hour</td>');
  expect(html).toMatch(
    /<td>none<\/td>.*needs a budget of 3 cores or an accuracy floor of 0\.500 or less.*<td>not found<\/td>/s,
  );
  expect(html).toContain('One note; another.');
  expect(html).not.toContain('<img');
  expect(plotsOf(shown)).toEqual([]);
  expect(shown.facts).toMatchObject([{ value: '3' }, { value: '1', status: 'ok' }]);
});

it('plots the trade-off of two free quantities', () => {
  const answers = [5, 10, 20].map((load) => found('cost', load / 10, { free: 'load', value: load }));
  const [plot] = plotsOf(page([...answers, none('infeasible')]));
  expect(plot?.title).toBe('Cost by load');
  expect(
    plot?.layers.flatMap((layer) => (layer.kind === 'points' ? layer.points.map(({ x, y }) => [x, y]) : [])),
  ).toEqual([
    [5, 0.5],
    [10, 1],
    [20, 2],
  ]);
});

it('has a row per answer for CSV', () => {
  expect(answerRows([found('cost', 2), none('not-found')])).toMatchObject([
    { free: 'cost', result: 'found', value: 2, arrivalRps: 20, sloMs: 100, accuracy: 0.8, costPerHour: 2, cpuCores: 2 },
    { free: 'accuracy', result: 'not-found', bindingConstraint: 'budget' },
  ]);
});
