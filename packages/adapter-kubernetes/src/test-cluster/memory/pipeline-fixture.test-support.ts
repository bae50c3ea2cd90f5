/** A pipeline of two stages as a custom resource, plans for it, and the objects of a cluster in given states. */
import { type Plan, type StagePlan, stageId, usualSplit, variantId } from '@equipoise/core/model';
import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';
import type { KubeObject, ManagedFields } from '../../api/kube-object.js';
import { STARTED_EPOCH_MS } from '../../api/memory/memory-kube.test-support.js';
import type { InferencePipeline, ObservedDeployment, ObservedPod } from '../../cluster/observed-objects.js';
import {
  PipelinePlanning,
  type PipelineSignals,
  type PlanAnswer,
  type PlanNews,
  type PlanSource,
} from '../../plan/planning.js';
import type { Planning } from '../../reconcile/reconciliation.js';
import type { Deployment } from '../../render/manifest-types.js';

export const NOW_EPOCH_MS = STARTED_EPOCH_MS;
export const images = { pipeline: 'shelf:1', byVariant: {} };

const profile = (meanMs: number) =>
  [1, 2, 4].map((batchSize) => ({ cpuCores: 1, batchSize, meanMs: meanMs * (0.5 + 0.5 * batchSize) }));

const variant = (name: string, accuracy: number, meanMs: number) => ({
  ...{ name, accuracy: { value: accuracy, metric: 'top1' }, resources: { cpuCores: 1, memoryBytes: 200_000_000 } },
  profile: profile(meanMs),
});

/** The custom resource. */
export function shelf(
  over: {
    mode?: string;
    namespace?: string;
    name?: string;
    budgetCpuCores?: number;
    routers?: number | 'auto';
    metadata?: Partial<InferencePipeline['metadata']>;
    status?: InferencePipeline['status'];
  } = {},
): InferencePipeline {
  const { mode = 'auto', namespace = 'n', name = 'shelf', budgetCpuCores = 16, metadata = {}, status, routers } = over;
  return {
    apiVersion: API_VERSION,
    kind: PIPELINE_KIND,
    metadata: { uid: 'uid-shelf', generation: 3, resourceVersion: '7', ...metadata, name, namespace },
    spec: {
      slo: { latencyMs: 300, percentile: 99 },
      budget: { cpuCores: budgetCpuCores },
      ...(routers !== undefined && { routers }),
      control: { mode },
      sources: [{ name: 'input', to: ['detect'] }],
      stages: [
        { name: 'detect', kind: 'model', variants: [variant('small', 0.6, 10), variant('large', 0.8, 30)] },
        { name: 'classify', kind: 'model', variants: [variant('only', 0.9, 10)] },
      ],
      edges: [{ from: 'detect', to: 'classify' }],
      outputs: [{ from: 'classify' }],
    },
    ...(status !== undefined && { status }),
  };
}

interface StageDocument {
  readonly name: string;
  readonly variants: readonly { readonly name: string }[];
}

/** The same pipeline with variants on MLServer, whose models an engine fetches. */
export function servedShelf(over: Parameters<typeof shelf>[0] = {}): InferencePipeline {
  const { spec, ...rest } = shelf(over);
  const { stages, ...others } = spec as { readonly stages: readonly StageDocument[] };
  return { ...rest, spec: { ...others, stages: stages.map(withServers) } };
}

const withServers = (stage: StageDocument): StageDocument => ({
  ...stage,
  variants: stage.variants.map((each) => ({
    ...each,
    artifact: `s3://models/${stage.name}-${each.name}`,
    server: { command: ['mlserver', 'start', '.'], environment: {}, url: 'http://127.0.0.1:{port}', model: stage.name },
  })),
});

const stagePlan = (name: string, replicas: number, maxBatchSize: number): StagePlan => ({
  variantId: variantId(name),
  resources: { cpuCores: 1, memoryBytes: 200_000_000, gpus: 0 },
  ...{ maxBatchSize, maxBatchWaitMs: 0, replicas, trafficFraction: 1 },
});

/** A plan that runs `detect` with a variant, replicas and a batch size. */
export function planWith(detect: string, replicas = 1, maxBatchSize = 1): Plan {
  return {
    stages: {
      [stageId('detect')]: [stagePlan(detect, replicas, maxBatchSize)],
      [stageId('classify')]: [stagePlan('only', 1, 1)],
    },
    predicted: {
      latencyMs: 80,
      percentile: 99,
      pas: 0.54,
      capacityRps: 40,
      cpuCores: 1 + replicas,
      costPerHour: 1 + replicas,
    },
  };
}

/** Source with scripted answers. */
export class ToldPlans implements PlanSource {
  answer: PlanAnswer;
  /** Signals of the routers. */
  situation: () => PipelineSignals = () => ({});
  readonly #listeners: ((key: string, news: PlanNews) => void)[] = [];

  constructor(plan: Plan) {
    this.answer = answerOf(plan);
  }

  planOf(): Promise<PlanAnswer> {
    return Promise.resolve(this.answer);
  }

  signalsOf(): PipelineSignals {
    return this.situation();
  }

  forget(): void {}

  onDecided(listener: (key: string, news: PlanNews) => void): void {
    this.#listeners.push(listener);
  }

  /** `plan` is that of each router. */
  decide(key: string, plan: Plan, routers = 1): void {
    this.answer = { ...answerOf(plan), ...(routers > 1 && { split: usualSplit(routers) }) };
    for (const listener of this.#listeners) listener(key, 'plan');
  }
}

function answerOf(plan: Plan): Extract<PlanAnswer, { kind: 'plan' }> {
  return { kind: 'plan', plan, profiles: [], arrivalRps: 20, plannedAtEpochMs: NOW_EPOCH_MS - 1_000 };
}

/** Planning of a pipeline for a plan. */
export async function wantedBy(pipeline: InferencePipeline, plan: Plan): Promise<Planning> {
  return new PipelinePlanning(new ToldPlans(plan), { imagesOf: () => images }).planningOf('n/shelf', {
    pipeline,
    children: [],
    pods: [],
  });
}

export function objectsOf(planning: Planning): readonly KubeObject[] {
  if (planning.kind !== 'planned') throw new Error(`not planned: ${JSON.stringify(planning)}`);
  return planning.objects;
}

/** State of a Deployment; default: as wanted. */
export interface Standing {
  readonly ready?: number;
  readonly replicas?: number;
  readonly isStuck?: boolean;
  readonly managedFields?: readonly ManagedFields[];
}

/** Applied object after its controllers have finished, or in the state `standing`. */
export function standing(
  object: KubeObject,
  { ready, replicas, isStuck = false, managedFields }: Standing = {},
): KubeObject {
  const metadata = {
    ...object.metadata,
    generation: 1,
    uid: `uid-${object.metadata.name}`,
    ...(managedFields && { managedFields }),
  };
  if (object.kind !== 'Deployment') return { ...object, metadata };
  const { spec } = object as Deployment;
  const wanted = replicas ?? spec.replicas;
  const isReady = ready ?? wanted;
  const conditions = [
    { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'too slow' },
  ];
  const deployment: ObservedDeployment = {
    ...object,
    metadata,
    spec: { ...spec, replicas: wanted },
    status: {
      observedGeneration: 1,
      ...{ replicas: wanted, updatedReplicas: wanted, readyReplicas: isReady, availableReplicas: isReady },
      ...(isStuck && { conditions }),
    },
  };
  return deployment;
}

export function podOf(deployment: KubeObject, status: ObservedPod['status'] = {}): ObservedPod {
  const { template } = (deployment as Deployment).spec;
  const { labels = {}, annotations = {} } = template.metadata;
  const metadata = { name: `${deployment.metadata.name}-1`, namespace: 'n', labels, annotations };
  return { apiVersion: 'v1', kind: 'Pod', metadata, status };
}
