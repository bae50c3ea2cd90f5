/** Service is played by the simulator, with another thread than that of the corrections: the match must find it. */
import { fileURLToPath } from 'node:url';
import { type Plan, SeededRng, type StageId, type StagePlan } from '@equipoise/core/model';
import { poissonArrivals, simulatePlan } from '@equipoise/core/simulate';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { expect, it } from 'vitest';
import { correctedCurvesOf, type VariantCorrection } from './compared-loads.js';
import { matchedCorrections } from './matched-corrections.js';
import type { Segment } from './segment.js';

const loaded = await loadPipelineFile(
  fileURLToPath(new URL('../../../../examples/policies/pipeline.yaml', import.meta.url)),
);
if (loaded.kind === 'invalid') throw new Error('the example is valid');
const { spec } = loaded;
const stages: Record<StageId, readonly StagePlan[]> = {};
for (const { id, variants } of spec.stages) {
  const [variant] = variants;
  if (variant === undefined) continue;
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  stages[id] = [
    { variantId: variant.id, resources, maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 8, trafficFraction: 1 },
  ];
}
const predicted = { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 };
const plan: Plan = { stages, predicted };
const profiles = spec.stages.flatMap((stage) =>
  stage.variants.map(({ id, profile = [], loadMs = 0 }) => ({
    ...{ stageId: stage.id, variantId: id, points: profile, loadMs },
  })),
);

const known = (value: number) => ({ value, halfWidth: value / 10 });
const ones = Array.from({ length: 29 }, () => 1);

/** `times`: factor on the work of the thread, which saturates at 80 rps if it is 1. */
function correctionsOf(times: number): readonly VariantCorrection[] {
  const thread = {
    arrivalMs: known(times * 2.5),
    answerMs: known(times * 2),
    refusalMs: known(times),
    hopMs: known(times * 4),
    itemMs: known(0),
    spread: ones,
  };
  return spec.stages.flatMap((stage) =>
    stage.variants.map(({ id }) => ({
      stageId: stage.id,
      variantId: id,
      correction: {
        handOverMs: known(0),
        inflation: known(0),
        loadInflation: known(0),
        contention: known(0),
        usual: { recentUse: 0.5, otherBatches: 0 },
        spread: Array.from({ length: 5 }, () => ones),
        bunching: { correlation: 0, memoryMs: 1 },
        usualFactor: 1,
        cpuFraction: 1,
        batches: 1000,
        thread,
      },
    })),
  );
}

const RUSHING = 60;
/** No load generator on the core of the thread, no samples. */
const alone = { clientMs: 0, inputs: [] };

/** Served with a thread of factor 1. */
function segmentAt(arrivalRps: number, rushing = 0): Segment {
  const rng = new SeededRng(arrivalRps);
  const ends: Segment['record']['ends'][number][] = [];
  simulatePlan({
    spec,
    plan,
    curves: correctedCurvesOf({ spec, profiles }, correctionsOf(1)),
    policyCurves: correctedCurvesOf({ spec, profiles }, []),
    arrivals: poissonArrivals(arrivalRps, 5000, rng.fork('arrivals')),
    rng,
    hostCores: Number.POSITIVE_INFINITY,
    drops: true,
    onEnd: ({ arrivedAtMs, endedAtMs, outcome }) => {
      const times = { arrivedAtMs, endedAtMs, leftMs: 0, latencyMs: endedAtMs - arrivedAtMs };
      if (outcome === 'completed') ends.push({ kind: 'completed', ...times });
      else if (outcome !== 'failed') ends.push({ kind: 'dropped', reason: outcome, ...times });
    },
  });
  const record = { ends, batches: [], turns: [], fanOuts: {}, edges: [] };
  return { record, clientCpuMs: 0, arrivalRps, requests: ends.length, rushing, sloMs: spec.slo.latencyMs };
}

it.each([0.5, 2])('brings back a thread that was measured %d times as slow', (times) => {
  const corrections = correctionsOf(times);
  const segments = [segmentAt(25), segmentAt(60), segmentAt(110, RUSHING)];
  const input = { spec, plan, profiles, corrections, segments, hostCores: Number.POSITIVE_INFINITY, ...alone };
  const [{ correction } = {}] = matchedCorrections(input);
  const { arrivalMs, hopMs } = correction?.thread ?? {};
  expect(arrivalMs?.value).toBeGreaterThan(2.2);
  expect(arrivalMs?.value).toBeLessThan(2.8);
  expect(hopMs?.halfWidth).toBeCloseTo((hopMs?.value ?? 0) / 10, 9);
  expect(correction?.spread[0]?.[0]).toBeGreaterThan(0.9);
  expect(correction?.spread[0]?.[0]).toBeLessThan(1.1);
});

it('lets one disturbed load decide little', () => {
  const corrections = correctionsOf(1);
  const disturbed = segmentAt(75);
  const ends = disturbed.record.ends.map((end) => ({ ...end, latencyMs: 3 * end.latencyMs }));
  const segments = [25, 40, 60].map((rps) => segmentAt(rps));
  segments.push({ ...disturbed, record: { ...disturbed.record, ends } }, segmentAt(110, RUSHING));
  const input = { spec, plan, profiles, corrections, segments, hostCores: Number.POSITIVE_INFINITY, ...alone };
  const [{ correction } = {}] = matchedCorrections(input);
  expect((correction?.thread?.arrivalMs.value ?? 0) / 2.5).toBeCloseTo(1, 1);
  expect(correction?.spread[0]?.[0]).toBeCloseTo(1, 1);
});

it('changes nothing where the work of the thread is unknown', () => {
  const corrections = correctionsOf(1).map((one) => {
    const { thread: _, ...correction } = one.correction;
    return { ...one, correction };
  });
  const input = { spec, plan, profiles, corrections, segments: [], hostCores: 1, ...alone };
  expect(matchedCorrections(input)).toBe(corrections);
});
