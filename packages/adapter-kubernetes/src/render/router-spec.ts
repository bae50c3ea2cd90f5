/**
 * Pipeline file of the router: the same graph with the plan pinned. A replica is a connection to a pod. Where the router
 * follows the pods, the file has no number of replicas, so that a change of this number restarts no router.
 */
import {
  AppError,
  followsAddresses,
  type InferenceServerSpec,
  type PipelineSpec,
  type StageSpec,
  type VariantId,
} from '@equipoise/core/model';
import { type ChosenVariant, plannedProfile } from './profile-points.js';
import type { RenderRequest } from './render-request.js';
import { inImage } from './stage-spec.js';

/** Variants of a plan in file order; AppError CONFLICT for a mixture of variants. */
export function chosenVariants({ spec, plan }: Pick<RenderRequest, 'spec' | 'plan'>): readonly ChosenVariant[] {
  return spec.stages.map((stage) => {
    const [first, ...others] = plan.stages[stage.id] ?? [];
    const variant = stage.variants.find(({ id }) => id === first?.variantId);
    if (first !== undefined && variant !== undefined && others.length === 0) return { stage, variant, plan: first };
    const found = others.length > 0 ? 'several' : `no known one (${first?.variantId ?? 'none'})`;
    throw new AppError('CONFLICT', `Expected one variant of the stage ${stage.id} in the plan, found ${found}.`, {
      details: { stageId: stage.id },
    });
  });
}

/** AppError INVALID_PIPELINE for several sources, a shadow, or a stage that does not follow the plan. */
export function routerSpec(
  { spec, profiles }: Pick<RenderRequest, 'spec' | 'profiles'>,
  chosen: readonly ChosenVariant[],
  serverOf: (chosen: ChosenVariant) => InferenceServerSpec,
): PipelineSpec {
  if (spec.sources.length > 1)
    throw new AppError(
      'INVALID_PIPELINE',
      'On a cluster a pipeline has one source, because several routers could not join parts. Serve it on one machine, or send all tensors in one request.',
    );
  const compared = spec.stages.find(({ shadow }) => shadow !== undefined);
  if (compared !== undefined)
    throw new AppError(
      'INVALID_PIPELINE',
      `On a cluster, answers are not compared. Remove the shadow of the stage ${compared.id}, or serve it on one machine.`,
    );
  const followed = spec.stages.find(followsAddresses);
  if (followed !== undefined)
    throw new AppError(
      'INVALID_PIPELINE',
      `On a cluster, the stage ${followed.id} follows the plan. Remove its server.replicas, or serve it on one machine with --fixed.`,
    );
  const variantOf = new Map<string, VariantId>(chosen.map(({ stage, variant }) => [stage.id, variant.id]));
  const { evaluation: _, placement: __, routers: ___, accuracyTable, ...rest } = spec;
  const combinations = (accuracyTable?.combinations ?? []).filter(({ variants }) =>
    Object.entries(variants).every(([stage, variant]) => variantOf.get(stage) === variant),
  );
  return {
    ...rest,
    budget: {},
    objective: { kind: 'max-accuracy' },
    sources: spec.sources.map(({ samplesPath: ___, ...source }) => source),
    stages: chosen.map((each) => routedStage(each, serverOf(each), plannedProfile(each, profiles))),
    control: { ...spec.control, mode: 'off' },
    ...(combinations.length > 0 && { accuracyTable: { combinations } }),
  };
}

function routedStage(
  { stage, variant, plan }: ChosenVariant,
  server: InferenceServerSpec,
  planned: ReturnType<typeof plannedProfile>,
): StageSpec {
  const { id, kind, runTimeoutMs, idempotent } = stage;
  const { cpuCores, memoryBytes, gpus } = plan.resources;
  const { maxBatchSize, maxBatchWaitMs, replicas } = plan;
  const { version, accuracy } = variant;
  const follows = server.replicas === 'addresses';
  const range = follows
    ? { minReplicas: 1, maxReplicas: stage.bounds.maxReplicas }
    : { minReplicas: replicas, maxReplicas: replicas };
  return {
    id,
    kind,
    ...(runTimeoutMs !== undefined && { runTimeoutMs }),
    ...(idempotent !== undefined && { idempotent }),
    variants: [
      {
        id: variant.id,
        ...(version !== undefined && { version }),
        ...(accuracy !== undefined && { accuracy }),
        cpuCores: [cpuCores],
        memoryBytes,
        gpus,
        ...planned,
        server: tokenInImage(server),
        parameters: {},
      },
    ],
    bounds: { ...range, batchSizes: [maxBatchSize], maxBatchWaitMs },
    pins: { variantId: variant.id, cpuCores, maxBatchSize, ...(!follows && { replicas }) },
  };
}

/** Maps a path of the pipeline's folder to its place in the image. */
function tokenInImage(server: InferenceServerSpec): InferenceServerSpec {
  const { token } = server;
  return token !== undefined && 'file' in token ? { ...server, token: { file: inImage(token.file) } } : server;
}
