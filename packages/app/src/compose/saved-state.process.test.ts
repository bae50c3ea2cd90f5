/** Restored state of a pipeline, and a store that fails while it serves. */
import { join } from 'node:path';
import type { ControllerSnapshot } from '@equipoise/core/control';
import { type ProfileSet, stageId, variantId } from '@equipoise/core/model';
import { fitCorrections } from '@equipoise/core/plan';
import { type LoopEvent, ThreadedPlanStore } from '@equipoise/runtime';
import { MemoryPlanStore } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import type { StartOptions } from './pipeline-composition.js';
import { readSavedState, saveLearned } from './saved-state.js';
import { startPipeline } from './start-pipeline.js';

const folder = new TestFolder();
const specOf = async (text: string) => loadSpec(join(folder.path, folder.write('pipeline.yaml', text)));

const of = { stageId: stageId('detect'), variantId: variantId('small'), cpuCores: 1 };
const service: ControllerSnapshot['service'] = {
  measured: [{ ...of, sizes: [{ batchSize: 1, ratios: [2, 2.1] }] }],
  corrections: [{ ...of, batchSize: 1, factor: 2 }],
};
const learning: ControllerSnapshot['learning'] = {
  ...{ historyRps: new Array<number>(400).fill(12), fittedBins: 400, selected: 0 },
  forecasters: [{ method: 'last-value', weights: { upperFactor: 1.5 } }],
  scores: [{ loss: 1, weight: 1 }],
};

const nothing = { offered: 0, taken: 0, fanOuts: 0, items: 0 };
const edges: ControllerSnapshot['edges'] = {
  memories: [{ blocks: [{ ...nothing, fanOuts: 100, items: 600 }], open: nothing }],
  inForce: [
    {
      ...{ edge: 0, from: stageId('detect'), to: stageId('classify'), kind: 'fan-out' },
      ...{ value: 6, stated: 3, standardError: 0.1, outputs: 100 },
    },
  ],
};
const starts: ControllerSnapshot['starts'] = [
  { stageId: of.stageId, variantId: of.variantId, startMs: [2000, 2500], atOnce: 3 },
];
const guardrails: NonNullable<ControllerSnapshot['guardrails']> = {
  ...{ appliedAtMs: [4000], switches: [], backOff: { untilMs: 65_000, failures: 1 } },
};
const keptAt = { atMs: 5000, atEpochMs: 1_700_000_000_000 };
const fanningOut = (items: number) =>
  syntheticPipeline({ spec: `edges: [{ from: detect, to: classify, fanOut: { expected: ${items} } }]` });

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
});
afterAll(() => folder.remove());

describe('readSavedState', () => {
  it('gives back what was kept, and nothing of it where it is not to be gone on with', async () => {
    const spec = await specOf(syntheticPipeline());
    const store = new MemoryPlanStore();
    await saveLearned(store, spec, { kept: { learning, service, starts }, profiles: [] });
    await store.keep(spec.name, 'operator', { mode: 'advise', pins: { detect: { replicas: 2 } } });
    expect(await readSavedState(store, spec, { profiles: [], resumes: true })).toEqual({
      ...{ lastDecisionId: 0, controller: { learning, service, starts }, passedOver: [] },
      wishes: { mode: 'advise', pins: { detect: { replicas: 2 } } },
    });
    expect(await readSavedState(store, spec, { profiles: [], resumes: false })).toEqual({
      ...{ lastDecisionId: 0, controller: {}, passedOver: [], wishes: { pins: {} } },
    });
  });

  it('passes over corrections learned before the profile was calibrated: they would count twice', async () => {
    const spec = await specOf(syntheticPipeline());
    const store = new MemoryPlanStore();
    const points = [{ cpuCores: 1, batchSize: 1, meanMs: 5 }];
    const profile = { stageId: of.stageId, variantId: of.variantId, points, loadMs: 0 };
    await saveLearned(store, spec, { kept: { service }, profiles: [profile] });
    const batches = Array.from({ length: 100 }, (_, i) => ({
      ...{ stageId: of.stageId, variantId: of.variantId, batchSize: 1 },
      ...{ startedAtMs: 20 * i, ms: 6, profiledMs: 5 },
    }));
    const [{ correction } = {}] = fitCorrections({ segments: [batches], usableCores: 1 });
    const read = (profiles: ProfileSet) => readSavedState(store, spec, { profiles, resumes: true });
    expect((await read([profile])).controller).toEqual({ service });
    expect((await read([{ ...profile, correction }])).controller).toEqual({});
  });

  it('passes over corrections of another profile, and pins that the file no longer allows, and says so', async () => {
    const store = new MemoryPlanStore();
    const before = await specOf(syntheticPipeline());
    await saveLearned(store, before, { kept: { learning, service }, profiles: [] });
    await store.keep(before.name, 'operator', { pins: { detect: { variantId: 'large' }, gone: { replicas: 1 } } });
    const after = await specOf(syntheticPipeline({ largeMs: 25 }));
    const { controller, wishes, passedOver } = await readSavedState(store, after, { profiles: [], resumes: true });
    expect([controller, wishes]).toEqual([{ learning }, { pins: { detect: { variantId: 'large' } } }]);
    expect(passedOver).toEqual([
      'the corrections of the profile: it has changed since',
      'a pin: there is no stage gone',
    ]);
  });
});

describe('pins that were kept', () => {
  it('are passed over where no plan could keep to them with the others or with those of the file', async () => {
    const store = new MemoryPlanStore();
    const spec = await specOf(syntheticPipeline());
    const [stage] = spec.stages;
    const [first] = stage?.variants ?? [];
    if (stage === undefined || first === undefined) throw new Error('the pipeline has a stage');
    const bounds = { ...stage.bounds, maxReplicas: 40 };
    const narrow = { ...spec, budget: { cpuCores: 4 }, stages: [{ ...stage, bounds }, ...spec.stages.slice(1)] };
    await store.keep(spec.name, 'operator', { pins: { [stage.id]: { replicas: 40 } } });
    const { wishes, passedOver, lostPins } = await readSavedState(store, narrow, { profiles: [], resumes: true });
    expect([wishes, lostPins?.length]).toEqual([{ pins: {} }, 1]);
    expect(passedOver).toEqual([
      expect.stringMatching(new RegExp(`^a pin: with that of ${stage.id} there would be no plan: at least`)),
    ]);
    const other = { ...first, id: variantId('other'), cpuCores: [7] };
    const ofFile = { ...stage, variants: [...stage.variants, other], pins: { variantId: first.id } };
    await store.keep(spec.name, 'operator', { pins: { [stage.id]: { cpuCores: 7 } } });
    const pinned = { ...spec, stages: [ofFile, ...spec.stages.slice(1)] };
    expect((await readSavedState(store, pinned, { profiles: [], resumes: true })).passedOver).toEqual([
      expect.stringContaining('does not run on 7 cores'),
    ]);
  });
});

describe('pins that the profile says nothing of any more', () => {
  it('are passed over, named, and not those beside them', async () => {
    const store = new MemoryPlanStore();
    const spec = await specOf(syntheticPipeline());
    const pins = { detect: { maxBatchSize: 8 }, classify: { replicas: 1 } };
    await store.keep(spec.name, 'operator', { pins });
    const { wishes, passedOver, lostPins } = await readSavedState(store, spec, { profiles: [], resumes: true });
    expect([wishes, lostPins?.length]).toEqual([{ pins: { classify: { replicas: 1 } } }, 1]);
    const words = 'a pin: the profile of detect says nothing of batches of 8, only of up to 4';
    expect(passedOver).toEqual([words]);
  });
});

describe('what is kept of edges and guardrails', () => {
  const kept: ControllerSnapshot = { edges, guardrails };
  const resumed = async (store: MemoryPlanStore, text: string) => {
    const now = { atMs: 100, atEpochMs: keptAt.atEpochMs + 10_000 };
    return readSavedState(store, await specOf(text), { profiles: [], resumes: true, now });
  };

  it('goes on where the file is the same, its instants as old as they are by the wall clock', async () => {
    const store = new MemoryPlanStore();
    await saveLearned(store, await specOf(fanningOut(3)), { kept, profiles: [], now: keptAt });
    const { controller, passedOver } = await resumed(store, fanningOut(3));
    expect(passedOver).toEqual([]);
    expect(controller.edges).toEqual(edges);
    expect(controller.guardrails).toEqual({
      ...{ appliedAtMs: [100 - 11_000], switches: [], backOff: { untilMs: 100 + 50_000, failures: 1 } },
    });
  });

  it('leaves out counts of other edges, says so, and a back-off of another file; the changes of the hour still count', async () => {
    const store = new MemoryPlanStore();
    await saveLearned(store, await specOf(fanningOut(3)), { kept, profiles: [], now: keptAt });
    const { controller, passedOver } = await resumed(store, fanningOut(4));
    expect(passedOver).toEqual(['learned fan-outs and branches: the edges have changed since']);
    expect(controller).toEqual({ guardrails: { appliedAtMs: [100 - 11_000], switches: [] } });
  });

  it('stays as it was kept where news of something else are kept', async () => {
    const store = new MemoryPlanStore();
    const spec = await specOf(fanningOut(3));
    await saveLearned(store, spec, { kept, profiles: [], now: keptAt });
    await saveLearned(store, spec, { kept: { service }, profiles: [], now: keptAt });
    const { controller } = await resumed(store, fanningOut(3));
    expect(controller).toMatchObject({ edges, service, guardrails: { switches: [] } });
  });
});

describe('a pipeline that starts', () => {
  const options = (spec: StartOptions['spec'], events: LoopEvent[], stateFile: string): StartOptions => ({
    ...{ spec, profiles: [], arrivalRps: 1, policy: 'equipoise', fixed: false, resume: true, stateFile },
    report: (event) => void events.push(event),
  });

  it('goes on with what was taught and corrected, and keeps it at its end', async () => {
    const spec = await specOf(syntheticPipeline());
    const path = join(spec.baseDir, '.equipoise', 'taught.db');
    const store = new ThreadedPlanStore(path);
    await saveLearned(store, spec, { kept: { learning, service }, profiles: [] });
    await store.close();
    const events: LoopEvent[] = [];
    const pipeline = await startPipeline(options(spec, events, 'taught.db'));
    expect(pipeline.kept.controller).toEqual({ learning, service });
    await pipeline.close();
    expect(events.filter(({ kind }) => kind === 'failed')).toEqual([]);
    const reader = new ThreadedPlanStore(path);
    const { controller } = await readSavedState(reader, spec, { profiles: [], resumes: true });
    await reader.close();
    expect(controller.service).toEqual(service);
    expect(controller.learning).toMatchObject({ historyRps: learning?.historyRps, forecasters: learning?.forecasters });
  });

  it('comes back with the answer to a burst that was in force when it was killed', async () => {
    const spec = await specOf(syntheticPipeline());
    const first = await startPipeline(options(spec, [], 'burst.db'));
    await first.close();
    const store = new ThreadedPlanStore(join(spec.baseDir, '.equipoise', 'burst.db'));
    const [good] = await store.goodPlans(spec.name, 1);
    if (good === undefined) throw new Error('a plan was kept');
    const classify = stageId('classify');
    const more = (good.plan.stages[classify] ?? []).map((part) => ({ ...part, replicas: part.replicas + 1 }));
    const grown = { ...good.plan.stages, [classify]: more };
    await store.keep(spec.name, 'in-force', { ...good, plan: { ...good.plan, stages: grown } });
    await store.close();
    const again = await startPipeline(options(spec, [], 'burst.db'));
    await again.close();
    expect(again.first).toMatchObject({ kind: 'resumed', plan: { stages: grown } });
  });

  it('lets pins go that leave no plan at all, names them with what to do, and keeps them in the store', async () => {
    const read = await specOf(syntheticPipeline());
    // Two replicas of one variant fit only the cores; two of the other variant fit only the memory.
    const needs = [
      { cpuCores: 1, memoryBytes: 2e9 },
      { cpuCores: 2, memoryBytes: 1e9 },
    ];
    const stages = read.stages.map((stage) => {
      if (stage.id !== of.stageId) return stage;
      const variants = stage.variants.map((variant, index) => {
        const { cpuCores, memoryBytes } = needs[index] ?? { cpuCores: 1, memoryBytes: 0 };
        const profile = variant.profile?.map((point) => ({ ...point, cpuCores })) ?? [];
        return { ...variant, cpuCores: [cpuCores], memoryBytes, profile };
      });
      return { ...stage, variants };
    });
    const spec = { ...read, budget: { cpuCores: 3, memoryBytes: 2e9 }, stages };
    const path = join(spec.baseDir, '.equipoise', 'pinned.db');
    const store = new ThreadedPlanStore(path);
    const wishes = { mode: 'advise', pins: { [of.stageId]: { replicas: 2 } } };
    await store.keep(spec.name, 'operator', wishes);
    await store.close();
    const pipeline = await startPipeline(options(spec, [], 'pinned.db'));
    const words = /^with detect: replicas 2 no plan fits .*or remove the pins \(POST …\/unpin\)$/;
    expect(pipeline.first).toMatchObject({ kind: 'made', lostPins: expect.stringMatching(words) });
    expect(pipeline.control.status).toMatchObject({
      ...{ mode: 'advise', pins: {} },
      lostPins: [expect.stringMatching(words)],
    });
    await pipeline.close();
    const reader = new ThreadedPlanStore(path);
    expect(await reader.kept(spec.name, 'operator')).toEqual(wishes);
    await reader.close();
  });

  it('drops what cannot be in time by the service times that were kept', async () => {
    const spec = await specOf(syntheticPipeline());
    const store = new ThreadedPlanStore(join(spec.baseDir, '.equipoise', 'slow.db'));
    const corrections = [1, 4].flatMap((batchSize) =>
      ['small', 'large'].map((id) => ({ ...of, variantId: variantId(id), batchSize, factor: 60 })),
    );
    await saveLearned(store, spec, { kept: { service: { measured: [], corrections } }, profiles: [] });
    await store.close();
    for (const [stateFile, outcome] of [
      ['slow.db', { kind: 'dropped', reason: 'deadline-unreachable' }],
      ['fresh.db', { kind: 'completed' }],
    ] as const) {
      const pipeline = await startPipeline({ ...options(spec, [], stateFile), fixed: true, resumeLearned: true });
      expect(await pipeline.runner.submit({})).toMatchObject(outcome);
      await pipeline.close();
    }
  });

  it('serves though what was kept makes no sense to it, and names that', async () => {
    const spec = await specOf(syntheticPipeline());
    const store = new ThreadedPlanStore(join(spec.baseDir, '.equipoise', 'senseless.db'));
    await store.keep(spec.name, 'learning', { ...learning, forecasters: 'of another version' });
    await store.close();
    const events: LoopEvent[] = [];
    const pipeline = await startPipeline(options(spec, events, 'senseless.db'));
    expect(events.filter(({ kind }) => kind === 'failed')).toMatchObject([{ step: 'decide' }]);
    expect(pipeline.runner.ready).toBe(true);
    await pipeline.close();
  });
});
