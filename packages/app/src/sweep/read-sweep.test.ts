import { afterAll, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { readSweep } from './read-sweep.js';
import { routersOf } from './sweep-cell.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

const part = (variantId: string) => ({
  ...{ variantId, resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 } },
  ...{ maxBatchSize: 4, maxBatchWaitMs: 0, replicas: 2, trafficFraction: 1 },
});
const plan = { stages: { detect: [part('small')], classify: [part('only')] } };
const routed = { ...plan, routers: 2 };

async function swept(document: object) {
  const pipeline = folder.write('pipeline.yaml', syntheticPipeline());
  const file = folder.write('plan.json', JSON.stringify(document));
  const request = { arrivalRps: 10, durationS: 20, seed: 1, seeds: 1, excludeFirstS: 0 };
  const read = await readSweep(`${folder.path}/${pipeline}`, { ...request, plan: [`${folder.path}/${file}`] }, 'code');
  return { subjects: read.pipeline.subjects, digests: read.cells.map(({ digest }) => digest) };
}

it('sweeps a plan for several routers with as many routers, as simulate does', async () => {
  const [one, two] = [await swept({ plan }), await swept({ plan: routed })];
  expect(one.subjects.map(({ by }) => routersOf(by, {}))).toEqual([{}]);
  expect(two.subjects.map(({ by }) => routersOf(by, {}))).toEqual([{ routers: 2, shares: [0.5, 0.5] }]);
  expect(two.digests).not.toEqual(one.digests);
  const list = await swept({ plans: [plan, routed] });
  expect(list.subjects.map(({ by }) => routersOf(by, {}).routers)).toEqual([undefined, 2]);
});

it('follows the axis where there is one', async () => {
  const { subjects } = await swept({ plan: routed });
  expect(subjects.map(({ by }) => routersOf(by, { routers: 4 }))).toEqual([{ routers: 4 }]);
  expect(routersOf({ policy: 'equipoise' }, {})).toEqual({});
});
