import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PipelineSpec, type ReplicaId, type RunningPlan, stageId, type VariantId } from '@equipoise/core/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSpec } from '../../compose/load-spec.js';
import { syntheticPipeline, TestFolder } from '../../equipoise.test-support.js';
import { rawFileIn, writeRaw } from '../raw-requests.js';
import { type CellRequest, servedFigures } from './cell-figures.js';
import { PlanTimeline } from './plan-timeline.js';

const folder = new TestFolder();
let spec: PipelineSpec;

beforeAll(async () => {
  spec = await loadSpec(join(folder.path, folder.write('pipeline.yaml', syntheticPipeline())));
});
afterAll(() => folder.remove());

/** Plan with replicas of one core; `classify` has one. */
function running(detect: readonly (readonly [variant: string, status: string])[]): RunningPlan {
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  const replicaOf = ([variant, status]: readonly [string, string], index: number) => ({
    replicaId: `${variant}-${index}` as ReplicaId,
    variantId: variant as VariantId,
    resources,
    status: status as 'ready',
  });
  const stage = (replicas: readonly (readonly [string, string])[]) => ({
    replicas: replicas.map(replicaOf),
    maxBatchSize: 1,
    maxBatchWaitMs: 0,
  });
  return { stages: { [stageId('detect')]: stage(detect), [stageId('classify')]: stage([['only', 'ready']]) } };
}

const request = (scheduledAtMs: number, latencyMs: number, outcome = 'completed', accuracy = 0.4): CellRequest => ({
  ...{ scheduledAtMs, latencyMs, outcome, accuracy },
  startedAtMs: scheduledAtMs + 2,
});

describe('PlanTimeline', () => {
  it('weights what runs by time; starting and draining replicas hold cores, failed ones do not', () => {
    const timeline = new PlanTimeline(spec);
    timeline.note(running([['small', 'ready']]), 1000);
    timeline.note(
      running([
        ['small', 'ready'],
        ['small', 'starting'],
        ['small', 'failed'],
      ]),
      2000,
    );
    timeline.note(
      running([
        ['large', 'ready'],
        ['small', 'draining'],
      ]),
      3000,
    );
    expect(timeline.means(1000, 3000)).toMatchObject({ cpuCores: 2.5, costPerHour: 2.5 });
    expect(timeline.means(0, 1000)).toMatchObject({ cpuCores: 2 });
    expect(timeline.means(2500, 2500)).toMatchObject({ cpuCores: 3 });
    expect([999, 2999, 3000].map((atMs) => timeline.at(atMs).accuracy)).toEqual([0.25, 0.25, 0.4]);
  });

  it('has no accuracy while a stage has no ready replica', () => {
    const timeline = new PlanTimeline(spec);
    timeline.note(running([['small', 'starting']]), 0);
    expect(timeline.at(1)).toEqual({ fromEpochMs: 0, accuracy: 0, cpuCores: 2, costPerHour: 2 });
  });
});

describe('servedFigures', () => {
  it('counts as the simulator does: attainment over arrivals, latency and accuracy over what completed', () => {
    const timeline = new PlanTimeline(spec);
    timeline.note(running([['large', 'ready']]), 5000);
    const requests = [
      request(10, 900),
      ...Array.from({ length: 6 }, (_, i) => request(1000 + i, 100 + i)),
      request(2000, 250),
      request(2500, 3, 'queue-full', 0),
      request(2600, 3, 'failed', 0),
    ];
    const run = { spec, timeline, requests, startedAtEpochMs: 5000, durationS: 5, decisions: 3 };
    expect(servedFigures({ ...run, excludeFirstS: 1 })).toEqual({
      ...{ requests: 9, completed: 7, dropped: { 'queue-full': 1 }, failed: 1, decisions: 3, stages: {} },
      latencyMs: { mean: expect.closeTo(865 / 7), p50: 103, p95: 250, p99: 250, p999: 250, max: 250 },
      ...{ sloAttainmentFraction: 6 / 9, goodputRps: 1.5, pasMean: expect.closeTo(0.4) },
      ...{ pasGoodput: expect.closeTo(2.4 / 9), cpuCoresMean: 2, costPerHourMean: 2, startDelayP99Ms: 2 },
    });
    expect(servedFigures({ ...run, excludeFirstS: 0 }).requests).toBe(10);
    expect(servedFigures({ ...run, requests: [], excludeFirstS: 0 })).toMatchObject({
      requests: 0,
      sloAttainmentFraction: 1,
    });
  });
});

describe('raw requests', () => {
  it('are sorted by schedule, in a file that names its cell', () => {
    const cell = { pipeline: 'a/b', load: 'x 2', policy: 'ipa', seed: 4, platform: 'embedded' } as const;
    const path = rawFileIn(join(folder.path, 'raw'), cell, '0123456789abcdef');
    expect(path).toBe(join(folder.path, 'raw', 'a_b-x_2-ipa-seed-4-embedded-01234567.csv'));
    writeRaw(path, [request(7, 1.23456), request(3, 5, 'deadline-passed')]);
    expect(readFileSync(path, 'utf8')).toBe(
      'scheduled_ms,started_ms,latency_ms,outcome,accuracy\n3.000,5.000,5.000,deadline-passed,0.400000\n7.000,9.000,1.235,completed,0.400000\n',
    );
  });
});
