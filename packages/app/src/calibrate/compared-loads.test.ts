import { fileURLToPath } from 'node:url';
import type { Plan, StageId, VariantId, VariantSpec } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { expect, it } from 'vitest';
import { correctedCurvesOf, FROM_PROFILE, simulatedFigures } from './compared-loads.js';
import type { Segment } from './segment.js';

const loaded = await loadPipelineFile(
  fileURLToPath(new URL('../../../../examples/policies/pipeline.yaml', import.meta.url)),
);
if (loaded.kind === 'invalid') throw new Error('the example is valid');
const spec = { ...loaded.spec, edges: loaded.spec.edges.map((edge) => ({ ...edge, fanOut: { expected: 2 } })) };
const stages: Plan['stages'] = Object.fromEntries(
  spec.stages.map(({ id, variants }) => {
    const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
    const more = { resources, maxBatchSize: 1, maxBatchWaitMs: 0, replicas: 1, trafficFraction: 1 };
    return [id, [{ variantId: (variants[0] as VariantSpec).id, ...more }]];
  }),
);
const curves = correctedCurvesOf({ spec, profiles: [] }, FROM_PROFILE);
const LONG_MS = 60_000;
const ends = [0, 1, 2, 3].map((sequence) => {
  const arrivedAtMs = sequence * LONG_MS;
  return { kind: 'completed' as const, arrivedAtMs, endedAtMs: arrivedAtMs, leftMs: 0, latencyMs: 0 };
});
const segment: Segment = {
  record: { ends, batches: [], turns: [], fanOuts: {}, edges: [] },
  ...{ clientCpuMs: 0, arrivalRps: 1, requests: ends.length, rushing: 0, sloMs: spec.slo.latencyMs },
};

/** Median latency (ms) of lone requests whose inputs have these numbers of items, in turn. */
function medianMs(items: readonly number[]): number {
  const inputs = items.map((count) => [{ offered: 0, taken: 0, fanOuts: 1, items: count }]);
  const by = { spec, plan: { stages }, profiles: [], hostCores: 8, corrections: FROM_PROFILE, clientMs: 0, inputs };
  return simulatedFigures({ ...by, curves, policyCurves: curves }, [segment], 3).p50Ms;
}

it('simulates the items that the inputs of the requests had', () => {
  const [, classify] = spec.stages;
  const itemMs = curves.curve(classify?.id as StageId, classify?.variants[0]?.id as VariantId, 1)?.meanMs(1) ?? 0;
  expect((medianMs([5]) - medianMs([1])) / itemMs).toBeGreaterThan(3);
  expect((medianMs([1, 5, 5, 5]) - medianMs([1, 1, 1, 5])) / itemMs).toBeGreaterThan(2.5);
});
