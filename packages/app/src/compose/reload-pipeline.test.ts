/** Replacement of a served spec: immediate effects, and named refusals. */
import { join } from 'node:path';
import type { PipelineSpec } from '@equipoise/core/model';
import type { LoopEvent } from '@equipoise/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import type { StartOptions } from './pipeline-composition.js';
import { type RunningPipeline, startPipeline } from './start-pipeline.js';

const folder = new TestFolder();
const started: RunningPipeline[] = [];
let spec: PipelineSpec;

async function start(over: Partial<StartOptions> = {}) {
  const events: LoopEvent[] = [];
  const pipeline = await startPipeline({
    ...{ spec, profiles: [], arrivalRps: 1, policy: 'equipoise', fixed: false, resume: false },
    ...{ stateFile: `${started.length}.db`, report: (event) => events.push(event) },
    ...over,
  });
  started.push(pipeline);
  return { pipeline, events };
}

const manual = (events: readonly LoopEvent[]) =>
  events.flatMap((event) => (event.kind === 'manual' ? [[event.mode, event.record.manual?.reason]] : []));

beforeAll(async () => {
  folder.write('pipeline.yaml', syntheticPipeline({ spec: 'control: { intervalMs: 600000, fastIntervalMs: 600000 }' }));
  spec = await loadSpec(join(folder.path, 'pipeline.yaml'));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((pipeline) => pipeline.close()));
});

afterAll(() => folder.remove());

describe('another description of a pipeline that is served', () => {
  it('changes its admission; the answer margin follows the latency unless it is stated', async () => {
    const { pipeline } = await start();
    expect(pipeline.runner.spec.admission).toEqual({ ...spec.admission, answerMarginMs: 4 });
    const admission = { ...spec.admission, maxQueueLength: 7, priorities: { shares: [0, 0.5], default: 1 } };
    expect(await pipeline.reload({ ...spec, slo: { ...spec.slo, latencyMs: 100 }, admission })).toBe(true);
    expect(pipeline.runner.spec.admission).toEqual({ ...admission, answerMarginMs: 2 });
    expect(await pipeline.reload({ ...spec, admission: { ...admission, answerMarginMs: 9 } })).toBe(true);
    expect(pipeline.runner.spec.admission.answerMarginMs).toBe(9);
    expect(pipeline.spec.admission.answerMarginMs).toBe(9);
  });

  it('changes how the loop acts, and its mode as if it were asked for', async () => {
    const { pipeline, events } = await start();
    expect(await pipeline.reload({ ...spec, control: { ...spec.control, minDwellMs: 1 } })).toBe(true);
    expect([pipeline.control.mode, manual(events)]).toEqual(['auto', []]);
    expect(await pipeline.reload({ ...spec, control: { ...spec.control, mode: 'off' } })).toBe(true);
    expect(await pipeline.reload({ ...spec, control: { ...spec.control, mode: 'advise' } })).toBe(true);
    const why = 'the pipeline file asks for it';
    expect([pipeline.control.mode, manual(events)]).toEqual([
      'advise',
      [
        ['off', why],
        ['advise', why],
      ],
    ]);
  });

  it('does not change a mode that the command line gave', async () => {
    const { pipeline } = await start({ mode: 'advise' });
    expect(await pipeline.reload({ ...spec, control: { ...spec.control, mode: 'off' } })).toBe(true);
    expect(pipeline.control.mode).toBe('advise');
  });

  it('is refused as a whole where a stage is another one', async () => {
    const { pipeline } = await start();
    const stages = spec.stages.map((stage) => ({ ...stage, idempotent: false }));
    const admission = { ...spec.admission, maxQueueLength: 7 };
    await expect(pipeline.reload({ ...spec, stages, admission })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('change stages.detect.idempotent, stages.classify.idempotent'),
    });
    expect(pipeline.runner.spec.admission.maxQueueLength).toBe(spec.admission.maxQueueLength);
  });
});
