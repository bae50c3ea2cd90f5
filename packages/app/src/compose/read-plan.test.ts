import type { PipelineSpec, StageId } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { readPlan, readPlans, readRunningPlan } from './read-plan.js';

const folder = new TestFolder();
let spec: PipelineSpec;

const part = (variantId: string, replicas = 1) => ({
  variantId,
  resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
  maxBatchSize: 4,
  maxBatchWaitMs: 0,
  replicas,
  trafficFraction: 1,
});
const plan = { stages: { detect: [part('small', 2)], classify: [part('only')] } };

function written(document: unknown): string {
  return `${folder.path}/${folder.write('plan.json', typeof document === 'string' ? document : JSON.stringify(document))}`;
}

beforeAll(async () => {
  const loaded = await loadPipelineFile(`${folder.path}/${folder.write('pipeline.yaml', syntheticPipeline())}`);
  if (loaded.kind === 'invalid') throw new Error('the pipeline is valid');
  spec = loaded.spec;
});

afterAll(() => folder.remove());

describe('a saved plan', () => {
  it.each([
    ['a whole answer', { kind: 'feasible', plan, objectiveValue: 1 }],
    ['the best effort of an infeasible answer', { kind: 'infeasible', bestEffort: plan }],
    ['a plan alone', plan],
  ])('is read from %s', async (_, document) => {
    expect(await readPlan(written(document), spec)).toEqual({ stages: plan.stages });
  });

  it.each([
    ['points', { points: [{ pas: 1, plan }, { plan }] }],
    ['plans', { plans: [{ file: 'a.yaml', plan }, plan] }],
  ])('is one of several under %s', async (_, document) => {
    const path = written(document);
    const plans = await readPlans(path, spec);
    expect(plans).toEqual([1, 2].map((number) => ({ name: `${path}#${number}`, stages: plan.stages })));
  });

  it('is the only one of its file, or names the wrong one of several', async () => {
    const path = written(plan);
    expect(await readPlans(path, spec)).toEqual([{ name: path, stages: plan.stages }]);
    await expect(readPlans(written({ points: [{ plan }, {}] }), spec)).rejects.toThrow('plan.json#2 is not a plan');
  });

  it('has the load that it was made for', async () => {
    const saved = { kind: 'feasible', plan, objectiveValue: 1, arrivalRps: 20 };
    expect(await readPlan(written(saved), spec)).toEqual({ stages: plan.stages, arrivalRps: 20 });
  });

  it('stands for replicas that run', async () => {
    const running = await readRunningPlan(written(plan), spec);
    const detect = running.stages['detect' as StageId];
    expect(detect).toMatchObject({ maxBatchSize: 4, maxBatchWaitMs: 0 });
    expect(detect?.replicas.map(({ variantId, status }) => `${variantId} ${status}`)).toEqual([
      'small ready',
      'small ready',
    ]);
  });

  it.each([
    ['{', 'FILE_UNREADABLE', 'is not JSON'],
    [[], 'FILE_UNREADABLE', 'expected the output of `equipoise plan'],
    [{ points: [] }, 'FILE_UNREADABLE', 'it is a list of 0 plans'],
    [
      { stages: { ...plan.stages, detect: [{ ...part('small'), threshold: 0.7 }] } },
      'FILE_UNREADABLE',
      'stage detect: expected no threshold, found 0.7',
    ],
    [
      { stages: { ...plan.stages, detect: [{ ...part('small'), quorum: 2 }] } },
      'FILE_UNREADABLE',
      'stage detect: expected no quorum, found 2',
    ],
    [{ plan, arrivalRps: '20' }, 'FILE_UNREADABLE', 'expected arrivalRps, a number of at least 0, found "20"'],
    [{ plan: { ...plan, routers: 0 } }, 'FILE_UNREADABLE', 'expected routers, a whole number from 1 to 64, found 0'],
    [{ ...plan, routers: '2' }, 'FILE_UNREADABLE', 'found "2"'],
    [{ ...plan, routers: 1.5 }, 'FILE_UNREADABLE', 'found 1.5'],
    [{ ...plan, routers: 65 }, 'FILE_UNREADABLE', 'found 65'],
    [
      { stages: { detect: plan.stages.detect } },
      'NOT_FOUND',
      'it has the stages detect; synthetic has detect, classify',
    ],
    [{ stages: { ...plan.stages, detect: [part('huge')] } }, 'NOT_FOUND', 'no variant huge; the pipeline has small'],
    [{ stages: { ...plan.stages, detect: [] } }, 'FILE_UNREADABLE', 'stage detect: expected a list'],
    [
      { stages: { ...plan.stages, detect: [part('small', 1.5)] } },
      'FILE_UNREADABLE',
      'replicas, a whole number, found 1.5',
    ],
    [
      { stages: { ...plan.stages, detect: [part('small', 1e9)] } },
      'FILE_UNREADABLE',
      'replicas, at most 10000, found 1000000000',
    ],
    [
      { stages: { ...plan.stages, detect: [{ ...part('small'), maxBatchSize: 1e9 }] } },
      'FILE_UNREADABLE',
      'maxBatchSize, at most 10000, found 1000000000',
    ],
    [
      { stages: { ...plan.stages, detect: [part('small', 0)] } },
      'FILE_UNREADABLE',
      'at least 1 replica of each stage that is not optional',
    ],
    [{ stages: { ...plan.stages, classify: [{ ...part('only'), resources: null }] } }, 'FILE_UNREADABLE', 'found null'],
  ])('that is %j is refused', async (document, code, message) => {
    await expect(readPlan(written(document), spec)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('that is not there is named by the path tried', async () => {
    const path = `${folder.path}/none.json`;
    await expect(readPlan(path, spec)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', details: { path } });
  });
});
