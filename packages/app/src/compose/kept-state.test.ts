/** What a pipeline goes on with, and a store that fails while it serves. */
import { join } from 'node:path';
import { type KeptController, stageId, variantId } from '@equipoise/core';
import { type LoopEvent, ThreadedPlanStore } from '@equipoise/runtime';
import { MemoryPlanStore } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { keepLearned, readKeptState } from './kept-state.js';
import { loadSpec } from './load-spec.js';
import type { StartOptions } from './start-options.js';
import { startPipeline } from './start-pipeline.js';

const folder = new TestFolder();
const specOf = async (text: string) => loadSpec(join(folder.path, folder.write('pipeline.yaml', text)));

const of = { stageId: stageId('detect'), variantId: variantId('small'), cpuCores: 1 };
const service: KeptController['service'] = {
  measured: [{ ...of, sizes: [{ batchSize: 1, ratios: [2, 2.1] }] }],
  corrections: [{ ...of, batchSize: 1, factor: 2 }],
};
const learning: KeptController['learning'] = {
  ...{ historyRps: new Array<number>(400).fill(12), fittedBins: 400, selected: 0 },
  forecasters: [{ method: 'last-value', weights: { upperFactor: 1.5 } }],
  scores: [{ loss: 1, weight: 1 }],
};

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
});
afterAll(() => folder.remove());

describe('readKeptState', () => {
  it('gives back what was kept, and nothing of it where it is not to be gone on with', async () => {
    const spec = await specOf(syntheticPipeline());
    const store = new MemoryPlanStore();
    await keepLearned(store, spec, { kept: { learning, service }, profiles: [] });
    await store.keep(spec.name, 'operator', { mode: 'advise', pins: { detect: { replicas: 2 } } });
    expect(await readKeptState(store, spec, { profiles: [], resumes: true })).toEqual({
      ...{ lastDecisionId: 0, controller: { learning, service }, passedOver: [] },
      wishes: { mode: 'advise', pins: { detect: { replicas: 2 } } },
    });
    expect(await readKeptState(store, spec, { profiles: [], resumes: false })).toEqual({
      ...{ lastDecisionId: 0, controller: {}, passedOver: [], wishes: { pins: {} } },
    });
  });

  it('passes over corrections of another profile, and pins that the file no longer allows, and says so', async () => {
    const store = new MemoryPlanStore();
    const before = await specOf(syntheticPipeline());
    await keepLearned(store, before, { kept: { learning, service }, profiles: [] });
    await store.keep(before.name, 'operator', { pins: { detect: { variantId: 'large' }, gone: { replicas: 1 } } });
    const after = await specOf(syntheticPipeline({ largeMs: 25 }));
    const { controller, wishes, passedOver } = await readKeptState(store, after, { profiles: [], resumes: true });
    expect([controller, wishes]).toEqual([{ learning }, { pins: { detect: { variantId: 'large' } } }]);
    expect(passedOver).toEqual([
      'the corrections of the profile: it has changed since',
      'a pin: there is no stage gone',
    ]);
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
    const store = await ThreadedPlanStore.open(path);
    await keepLearned(store, spec, { kept: { learning, service }, profiles: [] });
    await store.close();
    const events: LoopEvent[] = [];
    const pipeline = await startPipeline(options(spec, events, 'taught.db'));
    expect(pipeline.kept.controller).toEqual({ learning, service });
    await pipeline.close();
    expect(events.filter(({ kind }) => kind === 'failed')).toEqual([]);
    const reader = await ThreadedPlanStore.open(path);
    const { controller } = await readKeptState(reader, spec, { profiles: [], resumes: true });
    await reader.close();
    expect(controller.service).toEqual(service);
    expect(controller.learning).toMatchObject({ historyRps: learning?.historyRps, forecasters: learning?.forecasters });
  });

  it('serves though what was kept makes no sense to it, and names that', async () => {
    const spec = await specOf(syntheticPipeline());
    const store = await ThreadedPlanStore.open(join(spec.baseDir, '.equipoise', 'senseless.db'));
    await store.keep(spec.name, 'learning', { ...learning, forecasters: 'of another version' });
    await store.close();
    const events: LoopEvent[] = [];
    const pipeline = await startPipeline(options(spec, events, 'senseless.db'));
    expect(events.filter(({ kind }) => kind === 'failed')).toMatchObject([{ step: 'decide' }]);
    expect(pipeline.runner.ready).toBe(true);
    await pipeline.close();
  });
});
