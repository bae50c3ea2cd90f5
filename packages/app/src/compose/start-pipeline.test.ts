import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plan, stageId, variantId } from '@equipoise/core/model';
import type { ServiceCurves } from '@equipoise/core/plan';
import { type LoopEvent, SqlitePlanStore, specDigest } from '@equipoise/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { lostPinsText, nothingFits, resumeObjection } from './first-plan.js';
import { loadSpec } from './load-spec.js';
import type { StartOptions } from './pipeline-composition.js';
import { startPipeline } from './start-pipeline.js';

const folder = new TestFolder();
const file = join(folder.path, 'pipeline.yaml');

/** Starts and stops a pipeline; returns the content of its state file. */
async function startOnce(over: Partial<StartOptions> = {}) {
  const spec = await loadSpec(file);
  const events: LoopEvent[] = [];
  const options: StartOptions = {
    spec,
    profiles: [],
    arrivalRps: 1,
    policy: 'equipoise',
    fixed: false,
    resume: true,
    stateFile: `${over.policy ?? 'equipoise'}-${over.arrivalRps ?? 1}.db`,
    report: (event) => events.push(event),
    ...over,
  };
  const pipeline = await startPipeline(options);
  await pipeline.close();
  const store = new SqlitePlanStore(join(spec.baseDir, '.equipoise', options.stateFile ?? 'state.db'));
  const [good] = await store.goodPlans(spec.name, 1);
  const decisions = await store.decisions(spec.name, { limit: 10 });
  await store.close();
  const kept = good?.specDigest === specDigest(spec) ? good.plan : undefined;
  return { pipeline, events, kept, decisions };
}

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
});

afterAll(() => folder.remove());

describe('startPipeline', () => {
  it('keeps its plan, logs it as a decision with its outcome, and goes on with it', async () => {
    const { pipeline, kept, decisions } = await startOnce();
    expect(kept).toEqual(pipeline.firstPlan);
    expect(decisions).toMatchObject([
      {
        ...{ id: 1, trigger: 'start', mode: 'auto' },
        decision: { kind: 'apply', reason: 'the first plan, by equipoise' },
        outcome: { kind: 'applied' },
      },
    ]);
    const again = await startOnce();
    expect(again.pipeline.first.kind).toBe('resumed');
    expect(again.decisions[0]).toMatchObject({ decision: { reason: 'the last good plan' } });
  });

  it.each<[string, Partial<StartOptions>, RegExp]>([
    ['the plan of a baseline', { policy: 'fa2-low' }, /^the first plan, by fa2-low$/],
    [
      'an infeasible best effort',
      { arrivalRps: 100_000 },
      /no plan is feasible: the (budget is too small|allowed replicas cannot|latency target is)/,
    ],
  ])('does not keep %s', async (_, over, reason) => {
    const { kept, decisions } = await startOnce(over);
    expect(kept).toBeUndefined();
    expect(decisions[0]?.decision?.reason).toMatch(reason);
  });

  it('shows each decision the announced rate, and the time of the first request', async () => {
    const spec = await loadSpec(file);
    const pipeline = await startPipeline({
      ...{ spec, profiles: [], arrivalRps: 3, announces: true, policy: 'equipoise', fixed: false, resume: false },
      ...{ stateFile: 'announced.db', mode: 'off', report: () => {} },
    });
    const announced = () => pipeline.control.pause().observation.announced;
    expect(announced()).toEqual({ arrivalRps: 3, sinceMs: expect.any(Number) });
    // The history knows the decision that was made before it began.
    const { history, runner } = pipeline;
    const ages = history.signals(runner.nowMs);
    expect(ages.find(({ source }) => source === 'decision')).toMatchObject({ ageMs: expect.any(Number) });
    await pipeline.runner.submit({});
    const first = announced();
    expect(first?.firstArrivalAtMs).toBeGreaterThanOrEqual(first?.sinceMs ?? Number.POSITIVE_INFINITY);
    await pipeline.runner.submit({});
    expect(announced()).toEqual(first);
    await pipeline.close();
  });

  it('is refused where another server adapts the pipeline, unless it is fixed, and goes once that has ended', async () => {
    const spec = await loadSpec(file);
    const options: StartOptions = {
      ...{ spec, profiles: [], arrivalRps: 1, policy: 'equipoise', fixed: false, resume: true },
      ...{ stateFile: 'claimed.db', report: () => {} },
    };
    const first = await startPipeline(options);
    await expect(startPipeline(options)).rejects.toMatchObject({ code: 'STATE_IN_USE' });
    expect(first.runner.ready).toBe(true);
    await (await startPipeline({ ...options, fixed: true })).close();
    await first.close();
    await (await startPipeline(options)).close();
  });

  it('is refused where the other ends when what was kept is read already, and keeps nothing in its place', async () => {
    const spec = await loadSpec(file);
    const options: StartOptions = {
      ...{ spec, profiles: [], arrivalRps: 1, policy: 'equipoise', fixed: false, resume: true },
      ...{ stateFile: 'ending.db', report: () => {} },
    };
    const first = await startPipeline(options);
    const path = join(spec.baseDir, '.equipoise', 'ending.db');
    const service = { profilesDigest: 'd', service: { measured: [], corrections: [{ factor: 2 }] }, keptAtEpochMs: 1 };
    const listen = async () => {
      await first.close();
      const store = new SqlitePlanStore(path);
      await store.keep(spec.name, 'service', service);
      await store.close();
    };
    await expect(startPipeline({ ...options, listen })).rejects.toMatchObject({ code: 'STATE_IN_USE' });
    const store = new SqlitePlanStore(path);
    expect(await store.kept(spec.name, 'service')).toEqual(service);
    await store.close();
  });

  const faultsOf = (events: readonly LoopEvent[]) =>
    events.flatMap((event) => (event.kind === 'failed' ? [[event.step, String(event.error)]] : []));

  it('sets a damaged state file aside and says so, but not where its plan is fixed', async () => {
    const spec = await loadSpec(file);
    const path = join(spec.baseDir, 'damaged.db');
    writeFileSync(path, 'no database '.repeat(1000));
    const options: StartOptions = {
      ...{ spec, profiles: [], arrivalRps: 1, policy: 'equipoise', resume: true, stateFile: '../damaged.db' },
      ...{ fixed: true, report: (event) => events.push(event) },
    };
    const events: LoopEvent[] = [];
    await (await startPipeline(options)).close();
    expect(faultsOf(events)[0]).toEqual(['store', expect.stringContaining('it is damaged')]);
    const { events: later, kept } = await startOnce({ stateFile: '../damaged.db' });
    expect(faultsOf(later)).toEqual([
      ['store', expect.stringMatching(/It is now .*damaged\.db\.damaged-\d+, and a new one/)],
    ]);
    expect(later).toContainEqual({ kind: 'recovered', step: 'store' });
    expect(kept).toBeDefined();
  });

  it('serves without a state file where its folder takes none, and uses one once it does', async () => {
    const spec = await loadSpec(file);
    const blocked = join(spec.baseDir, 'blocked');
    writeFileSync(blocked, 'a file where the folder should be');
    const events: LoopEvent[] = [];
    const pipeline = await startPipeline({
      ...{ spec, profiles: [], arrivalRps: 1, policy: 'equipoise', fixed: false, resume: true },
      ...{ stateFile: '../blocked/state.db', report: (event) => events.push(event) },
    });
    expect(pipeline.runner.ready).toBe(true);
    expect(faultsOf(events)[0]).toEqual(['store', expect.stringContaining('check the disk')]);
    rmSync(blocked);
    await pipeline.control.pause('a test');
    await pipeline.close();
    const store = new SqlitePlanStore(join(blocked, 'state.db'));
    expect(await store.kept(spec.name, 'operator')).toBeDefined();
    await store.close();
  });

  it('leaves what a server that adapts has kept as it is where its plan is fixed', async () => {
    const { kept } = await startOnce({ stateFile: 'beside.db' });
    const { pipeline } = await startOnce({ stateFile: 'beside.db', fixed: true, resume: false, arrivalRps: 40 });
    expect(pipeline.firstPlan).not.toEqual(kept);
    const again = await startOnce({ stateFile: 'beside.db' });
    expect([again.pipeline.first.kind, again.pipeline.firstPlan]).toEqual(['resumed', kept]);
  });

  it('is given up when its signal is aborted', async () => {
    const aborting = new AbortController();
    const started = startOnce({ signal: aborting.signal, stateFile: 'aborted.db' });
    setTimeout(() => aborting.abort(), 20);
    await expect(started).rejects.toThrow();
  });
});

describe('no plan at all', () => {
  it('names the pins of the pipeline file, and what to do', async () => {
    const spec = await loadSpec(file);
    const [first, ...rest] = spec.stages;
    const result = { kind: 'infeasible', proven: true, bindingConstraint: 'budget', fixes: {} } as const;
    expect(nothingFits(spec, result)).toMatchObject({
      ...{ code: 'INFEASIBLE', message: expect.stringContaining('pipeline: raise the budget or widen the bounds') },
    });
    if (first === undefined) throw new Error('the pipeline has a stage');
    const pinned = { ...spec, stages: [{ ...first, pins: { replicas: 9, cpuCores: 1 } }, ...rest] };
    expect(nothingFits(pinned, result).message).toMatch(
      /the pins detect: replicas 9, cpuCores 1: raise the budget, or remove pins/,
    );
    const unmeasured = { ...result, bindingConstraint: 'unmeasured-accuracy' } as const;
    const remedy =
      /replicas 9, cpuCores 1.* has a measured accuracy \(measure one with `equipoise evaluate`, or remove a pin\)/;
    expect(nothingFits(pinned, unmeasured).message).toMatch(remedy);
    expect(nothingFits(pinned, unmeasured).message).toMatch(/^With the pins detect: .*cpuCores 1, no allowed comb/);
    expect(nothingFits(spec, unmeasured).message).toMatch(/^In this pipeline, no allowed combination/);
    const pins = { [first.id]: { replicas: 9, cpuCores: 1 } };
    expect(lostPinsText(pins, unmeasured)).toMatch(remedy);
    expect(lostPinsText(pins, result)).toContain('no plan fits the budget and the profile');
  });
});

describe('a plan kept from before', () => {
  const resources = { cpuCores: 2, memoryBytes: 0, gpus: 0 };
  const kept = {
    stages: { [stageId('detect')]: [{ variantId: variantId('large'), resources, maxBatchSize: 4 }] },
    predicted: { cpuCores: 4 },
  } as unknown as Plan;
  const curvesFor = (cores: number, maxBatchSize = 4) =>
    ({ curve: (_stage, _variant, cpuCores) => (cpuCores === cores ? { maxBatchSize } : undefined) }) as ServiceCurves;

  it('is resumed where the profiles know its variants on its cores and the machine has them', () => {
    expect(resumeObjection({ budget: {} }, kept, curvesFor(2))).toBeUndefined();
    expect(resumeObjection({ budget: { cpuCores: 4 } }, kept, curvesFor(2))).toBeUndefined();
  });

  it('is passed over otherwise, with the reason', () => {
    expect(resumeObjection({ budget: {} }, kept, curvesFor(1))).toContain('detect/large says nothing of 2 cores');
    expect(resumeObjection({ budget: {} }, kept, curvesFor(2, 2))).toMatch(/batches of 4, only of up to 2$/);
    expect(resumeObjection({ budget: { cpuCores: 2 } }, kept, curvesFor(2))).toBe(
      'it needs 4 cores, but the budget is 2',
    );
  });
});
