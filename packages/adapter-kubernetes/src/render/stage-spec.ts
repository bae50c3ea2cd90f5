/**
 * One-stage pipeline of a pod that runs our server. The router owns deadlines and drops, so the pod drops nothing
 * before the run timeout.
 */
import { defaultRunTimeoutMs, type PipelineSpec, type ProfileSet, type VariantSpec } from '@equipoise/core/model';
import { graphEngineOf } from './engines/targets.js';
import { PIPELINE_DIR } from './pod-template.js';
import { type ChosenVariant, plannedProfile } from './profile-points.js';
import type { RenderRequest } from './render-request.js';

/** Time to collect a batch, because its requests arrive one by one. The router states how many it sends together. */
const GATHER_MS = 2;
const MOST_BATCHES_QUEUED = 16;

/** Settings of a pod that forms batches of up to `maxBatchSize` requests. */
export const batchSettings = (maxBatchSize: number) => ({
  bounds: { batchSizes: [maxBatchSize], maxBatchWaitMs: maxBatchSize > 1 ? GATHER_MS : 0 },
  pins: { maxBatchSize },
  admission: { maxQueueLength: MOST_BATCHES_QUEUED * maxBatchSize },
});

const NOTHING_PRICED = { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 };

export function stageSpec(chosen: ChosenVariant, request: Pick<RenderRequest, 'profiles' | 'target'>): PipelineSpec {
  const { profiles } = request;
  const { stage, variant, plan } = chosen;
  const { cpuCores } = plan.resources;
  const { bounds, pins, admission } = batchSettings(batchSizeOf(chosen, request));
  const { module, python, runTimeoutMs = defaultRunTimeoutMs, placement: _, networkMs: __, ...rest } = stage;
  return {
    name: stage.id,
    baseDir: PIPELINE_DIR,
    slo: { latencyMs: runTimeoutMs, percentile: 99 },
    budget: {},
    prices: NOTHING_PRICED,
    objective: { kind: 'max-accuracy' },
    sources: [{ name: 'input', to: [stage.id], tensors: [] }],
    stages: [
      {
        ...rest,
        ...(module !== undefined && { module: inImage(module), runTimeoutMs }),
        ...(python !== undefined && { python: python.includes('/') ? inImage(python) : python }),
        variants: [{ ...plannedVariant(variant, chosen, profiles), cpuCores: [cpuCores] }],
        bounds: { minReplicas: 1, maxReplicas: 1, ...bounds },
        pins: { variantId: variant.id, cpuCores, ...pins, replicas: 1 },
      },
    ],
    edges: [],
    outputs: [{ from: stage.id }],
    control: { mode: 'off', intervalMs: 10_000, minDwellMs: 0 },
    admission: { ...admission, maxWaitFraction: 1 },
  };
}

/**
 * Largest batch size that a plan may choose on these cores, so that a change of the batch size restarts no pod: our router
 * forms the batches. In the pod it bounds a batch of requests that come from elsewhere. If an engine walks the graph, the
 * pod itself forms the batches of the plan.
 */
function batchSizeOf(chosen: ChosenVariant, { profiles, target }: Pick<RenderRequest, 'profiles' | 'target'>): number {
  const { stage, plan } = chosen;
  if (graphEngineOf(target) !== undefined) return plan.maxBatchSize;
  const { bounds, pins } = stage;
  const allowed = pins.maxBatchSize === undefined ? bounds.batchSizes : [pins.maxBatchSize];
  const { profile = [] } = plannedProfile(chosen, profiles);
  const sizes = profile.map(({ batchSize }) => batchSize).filter((size) => allowed?.includes(size) ?? true);
  return Math.max(plan.maxBatchSize, ...sizes);
}

function plannedVariant(variant: VariantSpec, chosen: ChosenVariant, profiles: ProfileSet): VariantSpec {
  const { artifact, placement: _, ...rest } = variant;
  return {
    ...rest,
    ...plannedProfile(chosen, profiles),
    ...(artifact !== undefined && { artifact: inImage(artifact) }),
  };
}

/** Path in the image; URLs and absolute paths stay. */
export function inImage(place: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(place) || place.startsWith('/')) return place;
  return `${PIPELINE_DIR}/${place.replace(/^\.\//, '')}`;
}
