/** `equipoise plan` as a whole; it takes too long for the quick tier. */
import type { PlanResult } from '@equipoise/core/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';
import { planned } from './plan.test-support.js';

const folder = new TestFolder();
const plan = (...args: string[]) => equipoiseHere(folder.path, 'plan', 'pipeline.yaml', ...args);

/** Answer of `plan`; checks that the exit code matches. */
async function answer(...args: string[]): Promise<PlanResult> {
  const { exitCode, document } = await planned(folder.path, ['pipeline.yaml'], ...args);
  const result = document as PlanResult;
  expect(exitCode).toBe(result.kind === 'feasible' ? 0 : 1);
  return result;
}

/** `stage=variant×replicas` of the plan. */
function choiceOf(result: PlanResult): string {
  const stages = result.kind === 'feasible' ? result.plan.stages : (result.bestEffort?.stages ?? {});
  return Object.entries(stages)
    .map(([id, [stage]]) => `${id}=${stage?.variantId}×${stage?.replicas}`)
    .join(' ');
}

const number = expect.any(Number);
const stagePlan = {
  variantId: expect.any(String),
  resources: { cpuCores: 1, memoryBytes: number, gpus: 0 },
  maxBatchSize: number,
  maxBatchWaitMs: number,
  replicas: number,
  trafficFraction: 1,
};
const planShape = {
  stages: { detect: [stagePlan], classify: [stagePlan] },
  predicted: {
    latencyMs: number,
    percentile: 99,
    pas: number,
    cpuCores: number,
    costPerHour: number,
    capacityRps: number,
  },
};
const verified = {
  latencyMs: number,
  percentile: 99,
  sloAttainmentFraction: number,
  conclusive: true,
  seeds: [number, number],
};
/** One run is enough to see that a plan misses the SLO. */
const missed = { ...verified, seeds: [number] };

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
});

afterAll(() => folder.remove());

describe('equipoise plan', () => {
  it('gives a feasible plan with its certificate', async () => {
    const ended = await plan('--arrival-rps', '10', '--json');
    expect(ended.exitCode).toBe(0);
    const result = documentOf(ended) as PlanResult;
    expect(result).toEqual({
      kind: 'feasible',
      plan: { ...planShape, verified },
      objectiveValue: 0.4,
      certificate: {
        claim: 'surrogate',
        theta: number,
        kappa: number,
        optimal: true,
        search: { simulated: number, looked: number, exhausted: true, skippedByEstimate: 0 },
        gapFraction: 0,
        upperBound: 0.4,
        gapToBoundFraction: 0,
        solver: expect.any(String),
        elapsedMs: number,
        labels: number,
      },
      arrivalRps: 10,
      accuracy: { source: 'product' },
    });
    expect(choiceOf(result), JSON.stringify(result)).toBe('detect=large×1 classify=only×1');
  });

  it('says what stands in the way and what would help, each fix being one that does', async () => {
    const arrivalRps = ['--arrival-rps', '400'];
    const result = await answer(...arrivalRps);
    expect(result).toEqual({
      kind: 'infeasible',
      proven: true,
      bindingConstraint: 'budget',
      fixes: { budget: { cpuCores: number } },
      bestEffort: { ...planShape, predicted: { ...planShape.predicted, latencyMs: null }, verified: missed },
      arrivalRps: 400,
      accuracy: { source: 'product' },
    });
    const cpuCores = result.kind !== 'feasible' ? (result.fixes.budget?.cpuCores ?? 0) : 0;
    expect(cpuCores).toBeGreaterThan(3);
    expect((await answer(...arrivalRps, '--budget-cores', String(cpuCores))).kind).toBe('feasible');
  });

  it('says which latency could be met', async () => {
    const result = await answer('--arrival-rps', '10', '--slo-ms', '8');
    expect(result).toMatchObject({ kind: 'infeasible', bindingConstraint: 'slo', bestEffort: planShape });
    const latencyMs = result.kind !== 'feasible' ? (result.fixes.slo?.latencyMs ?? 0) : 0;
    expect((await answer('--arrival-rps', '10', '--slo-ms', String(latencyMs))).kind).toBe('feasible');
  });

  it('says which accuracy could be had', async () => {
    expect(await answer('--arrival-rps', '10', '--accuracy-floor', '0.9')).toMatchObject({
      kind: 'infeasible',
      bindingConstraint: 'accuracy-floor',
      fixes: { accuracyFloor: 0.4 },
    });
  });

  it('tells people the plan, what is proven of it, and what would help', async () => {
    const [feasible, infeasible] = await Promise.all([plan('--arrival-rps', '10'), plan('--arrival-rps', '400')]);
    expect(feasible.exitCode).toBe(0);
    expect(feasible.stdout).toMatch(/│ detect +│ large +│ +1 │ +1 │ +1 │/);
    expect(feasible.stdout).toContain('100.00 % within the SLO');
    expect(feasible.stdout).toContain('proven best for its latency estimate');
    expect(infeasible.exitCode).toBe(1);
    expect(infeasible.stdout).toMatch(/^No plan meets the SLO at 400 rps: the budget is too small\./);
    expect(infeasible.stdout).toMatch(/would make it feasible:\n {2}· a budget of \d+ cores\n/);
    expect(infeasible.stdout).toContain('without bound: it does not keep up with the load');
  });

  it.each([
    [[], 'detect=large×1 classify=only×1', 0.4],
    [['--objective', 'max-accuracy', '--budget-cores', '2'], 'detect=large×1 classify=only×1', 0.4],
    [['--slo-ms', '25'], 'detect=small×1 classify=only×1', 0.25],
    [['--objective', 'min-cost', '--accuracy-floor', '0.3'], 'detect=large×1 classify=only×1', 2],
    [['--accuracy-floor', '0.3'], 'detect=large×1 classify=only×1', 2],
    [['--weights', '2,1,0'], 'detect=large×1 classify=only×1', 2 * 0.4 - 2],
    [['--policy', 'static-cheapest'], 'detect=small×1 classify=only×1', 2],
    [['--policy', 'ipa'], 'detect=large×1 classify=only×1', 2 * 0.4 - 2],
    [['--policy', 'static-best'], 'detect=large×1 classify=only×1', 2],
    [['--estimator', 'sum-of-tails'], 'detect=large×1 classify=only×1', 0.4],
  ])('obeys %j', async (flags, choice, objectiveValue) => {
    const result = await answer('--arrival-rps', '10', '--no-verify', ...flags);
    expect(result).toMatchObject({ kind: 'feasible', plan: planShape });
    expect(choiceOf(result)).toBe(choice);
    expect(result.kind === 'feasible' && result.objectiveValue).toBeCloseTo(objectiveValue);
    expect(result.kind === 'feasible' && 'verified' in result.plan).toBe(false);
  });

  it('takes latencies from the tails where asked to', async () => {
    const latencyOf = (result: PlanResult) => (result.kind === 'feasible' ? result.plan.predicted.latencyMs : 0);
    const tails = latencyOf(await answer('--arrival-rps', '10', '--no-verify', '--estimator', 'sum-of-tails'));
    expect(tails).toBeCloseTo(22 + 5);
    expect(latencyOf(await answer('--arrival-rps', '10', '--no-verify'))).toBeGreaterThan(tails);
  });

  it('shows the price of a robust plan, and why there is none', async () => {
    const at = ['--arrival-rps', '10', '--slo-ms', '40', '--service-factor'];
    const nominal = { kind: 'feasible', plan: { stages: { detect: [{ variantId: 'large' }] }, verified } };
    const robust = await answer(...at, '1.5');
    expect(robust).toMatchObject({ kind: 'feasible', robustness: { serviceFactor: 1.5, nominal } });
    expect(choiceOf(robust)).toBe('detect=small×1 classify=only×1');
    const price =
      'service times × 1.5. For service times as profiled the best plan has accuracy 0.400, costs 3.00 core-hours per hour and takes 3 cores.';
    const { stdout } = await plan(...at, '1.5', '--explain');
    expect(stdout).toContain(price);
    expect(stdout).toMatch(/│ service times as profiled │ +0\.400 │ +\+0\.150 │ +3\.00 │ detect +│/);
    const { stdout: frontier } = await plan(...at, '1.5', '--frontier');
    expect(frontier).toContain(price);
    expect(await answer(...at, '10')).toMatchObject({ kind: 'infeasible', robustness: { serviceFactor: 10, nominal } });
    expect((await plan(...at, '10')).stdout).toContain(
      'For service times as profiled the best plan has accuracy 0.400',
    );
    expect((await plan(...at, '0.9')).exitCode).toBe(2);
    folder.write('robust.yaml', syntheticPipeline().replace('spec:', 'spec:\n  robustness: { serviceFactor: 1.5 }'));
    const { document } = await planned(folder.path, ['robust.yaml'], ...at.slice(0, 4));
    expect(document).toMatchObject({ plan: robust.kind === 'feasible' && robust.plan });
  });

  it.each([
    [['--objective', 'min-cost'], 'add --accuracy-floor'],
    [['--objective', 'weights'], 'needs --weights'],
    [['--objective', 'max-accuracy', '--accuracy-floor', '0.5'], '--accuracy-floor belongs to the objective min-cost'],
    [['--objective', 'min-cost', '--weights', '1,1,1'], '--weights belongs to the objective weights'],
    [['--arrival-rps', '0'], 'Expected a number of requests per second above 0'],
  ])('refuses %j', async (flags, message) => {
    expect(await planned(folder.path, ['pipeline.yaml'], '--arrival-rps', '10', ...flags)).toMatchObject({
      exitCode: 2,
      document: { error: { code: 'WRONG_USAGE' } },
      text: expect.stringContaining(message),
    });
  });

  it('tells a script of wrong usage in one document', async () => {
    const ended = await plan('--arrival-rps', '10', '--json', '--objective', 'min-cost');
    expect(ended).toMatchObject({ exitCode: 2, stderr: '' });
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'WRONG_USAGE', message: expect.stringContaining('add --accuracy-floor') },
    });
  });

  it('names the command that measures what is missing', async () => {
    const text = syntheticPipeline({ detect: 'module: ./detect.js' }).replaceAll(/^ {10}profile: .*\n/gm, '');
    folder.write('unmeasured.yaml', text.replace('- name: classify', '- name: classify\n      module: ./c.js'));
    const ended = await equipoiseHere(folder.path, 'plan', 'unmeasured.yaml', '--arrival-rps', '10', '--json');
    expect(ended.exitCode).toBe(1);
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'PROFILE_MISSING', message: expect.stringContaining('equipoise profile') },
    });
  });
});
