/** The rule by which a served pipeline drops requests that cannot be in time. */
import { join } from 'node:path';
import { type ProfileSet, stageId, variantId } from '@equipoise/core/model';
import { afterAll, expect, it, vi } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import { startPipeline } from './start-pipeline.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

const profileOf = (stage: string, variant: string): ProfileSet[number] => ({
  ...{ stageId: stageId(stage), variantId: variantId(variant), loadMs: 0 },
  points: [{ cpuCores: 1, batchSize: 1, meanMs: 1 }],
});
/** Batches of 4 to 20 ms, profiled as 1 ms. */
const tooFast: ProfileSet = [profileOf('detect', 'small'), profileOf('detect', 'large'), profileOf('classify', 'only')];

it('follows the service times that serving measures, while it serves', { timeout: 60_000 }, async () => {
  const text = syntheticPipeline({ spec: 'control: { intervalMs: 1000, fastIntervalMs: 500, canary: false }' });
  const spec = await loadSpec(join(folder.path, folder.write('pipeline.yaml', text)));
  const pipeline = await startPipeline({
    ...{ spec, profiles: tooFast, arrivalRps: 5, policy: 'equipoise', fixed: false, resume: true, report: () => {} },
  });
  const setPolicy = vi.spyOn(pipeline.runner, 'setPolicy');
  for (let request = 0; request < 30; request++) await pipeline.runner.submit({});
  const expectedMs = (stage: string) =>
    setPolicy.mock.calls.flatMap(([id, { expectedServiceMs: [, ms = 0] = [] }]) => (id === stage ? [ms] : []));
  await vi.waitFor(
    () => {
      expect(Math.max(...expectedMs('detect'))).toBeGreaterThan(3);
      expect(Math.max(...expectedMs('classify'))).toBeGreaterThan(3);
    },
    { timeout: 30_000, interval: 100 },
  );
  await pipeline.close();
});
