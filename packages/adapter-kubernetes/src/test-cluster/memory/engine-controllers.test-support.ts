/**
 * Controllers of engines, as doubles that play sequences of statuses. Each sequence names where it was read:
 *
 * - Model, Seldon Core 2: `operator/scheduler/model.go` of SeldonIO/seldon-core (018ea00): an event of the scheduler sets
 *   `ModelReady` by its state, for the current generation only, and the replicas.
 * - Pipeline: `operator/scheduler/pipeline.go` (034cf13): `PipelineReady`, `PipelineGwReady`, `ModelsReady`; the state is
 *   the reason. Ready needs all three (`operator/apis/mlops/v1alpha1/pipeline_types.go`).
 * - Experiment: `operator/apis/mlops/v1alpha1/experiment_types.go` (049c8df).
 * - InferenceService: `pkg/apis/serving/v1beta1/inference_service_status.go` of kserve/kserve (aaac4e2),
 *   PropagateRawStatus: PredictorReady follows the Deployment; a message of `Progressing=False` counts as a failure.
 * - InferenceGraph: `pkg/controller/v1alpha1/inferencegraph/raw_ig.go` (aaac4e2): a Deployment whose pods have the graph
 *   as an argument; Ready as soon as that Deployment has a condition `Available`, also while it rolls out.
 * - SeldonDeployment: `operator/controllers/seldondeployment_controller.go` (00908a9), Reconcile and createDeployments:
 *   `state` is Creating until all Deployments are ready, then Available; Failed with a description once a Deployment has
 *   neither of its conditions. `deploymentStatus` counts replicas by Deployment, also those of an orchestrator.
 */
import type { Clock } from '@equipoise/core/model';
import { written } from '../../api/conformance/subject.test-support.js';
import type { KubeApi } from '../../api/kube-api.js';
import type { KubeObject } from '../../api/kube-object.js';
import { refTo } from '../../api/kube-object.js';
import { same } from '../../api/memory/field-owners.test-support.js';
import { engineTypes, isReady, type ObservedPod, pods } from '../../cluster/observed-objects.js';
import { replicasOf } from '../../reconcile/engine-objects.js';

/** Course of an object; the usual one ends ready. */
export type Course = 'usual' | 'schedule-failed' | 'model-failed' | 'deadline-exceeded' | 'never';

type Status = Readonly<Record<string, unknown>>;

interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
}

const ready = (type: string, status: Condition['status'], reason: string, message = ''): readonly Condition[] => [
  { type, status, reason, message },
  { type: 'Ready', status, reason, message },
];

/** Statuses by the time (s) since the generation appeared; undefined: none yet. */
function statusOf(object: KubeObject, ageS: number, course: Course): Status | undefined {
  switch (object.kind) {
    case 'Server':
      if (ageS < 2) return undefined;
      return {
        ...{ replicas: replicasOf(object), loadedModels: 1, selector: `seldon-server-name=${object.metadata.name}` },
        conditions: ready('StatefulSetReady', 'True', ''),
      };
    case 'Model':
      return modelStatus(object, ageS, course);
    case 'Pipeline':
      return ageS < 2 || course === 'never'
        ? { conditions: ready('PipelineReady', 'False', 'PipelineCreating') }
        : { conditions: ready('PipelineReady', 'True', 'PipelineReady') };
    case 'Experiment':
      return ageS < 1 ? undefined : { conditions: ready('ExperimentReady', 'True', '') };
    case 'InferenceService':
      return serviceStatus(object, ageS, course);
    case 'SeldonDeployment':
      return deploymentStatus(object, ageS, course);
    default:
      if (ageS < 1) return undefined;
      return { conditions: [{ type: 'Ready', status: course === 'never' ? 'False' : 'True' }] };
  }
}

function modelStatus(object: KubeObject, ageS: number, course: Course): Status | undefined {
  if (ageS < 1) return undefined;
  const replicas = replicasOf(object);
  if (ageS < 3 || course === 'never')
    return { replicas, availableReplicas: 0, conditions: ready('ModelReady', 'False', 'ModelProgressing') };
  if (course === 'schedule-failed') {
    const message = 'Failed to schedule model as no matching server had enough suitable replicas';
    return { replicas: 0, availableReplicas: 0, conditions: ready('ModelReady', 'False', 'ScheduleFailed', message) };
  }
  if (course === 'model-failed')
    return { replicas, availableReplicas: 0, conditions: ready('ModelReady', 'False', 'ModelFailed', 'load failed') };
  return { replicas, availableReplicas: replicas, conditions: ready('ModelReady', 'True', 'ModelAvailable') };
}

function serviceStatus(object: KubeObject, ageS: number, course: Course): Status | undefined {
  if (ageS < 1) return undefined;
  const predictor = (status: Condition['status'], reason: string, message = '') => ({
    conditions: [
      ...ready('PredictorReady', status, reason, message),
      { type: 'IngressReady', status: 'True' as const },
    ],
    observedGeneration: object.metadata.generation,
  });
  if (course === 'deadline-exceeded' && ageS >= 3)
    return predictor('False', 'ProgressDeadlineExceeded', 'ReplicaSet has timed out progressing.');
  if (ageS < 3 || course === 'never') return predictor('Unknown', 'MinimumReplicasUnavailable');
  return predictor('True', 'NewReplicaSetAvailable');
}

interface Predictor {
  readonly name: string;
  readonly replicas: number;
  readonly componentSpecs: readonly { readonly replicas?: number }[];
  readonly svcOrchSpec?: object;
}

/** The counts stay those of before until the Deployments are as wanted. */
function deploymentStatus(object: KubeObject, ageS: number, course: Course): Status | undefined {
  if (ageS < 1) return undefined;
  const {
    spec,
    status: before,
    metadata,
  } = object as KubeObject & {
    readonly spec: { readonly predictors: readonly Predictor[] };
    readonly status?: { readonly deploymentStatus?: Status };
  };
  const counts = spec.predictors.flatMap(({ name, replicas, componentSpecs, svcOrchSpec }) => [
    ...componentSpecs.map((each, index) => [`${metadata.name}-${name}-${index}`, each.replicas ?? replicas] as const),
    ...(svcOrchSpec === undefined ? [] : [[`${metadata.name}-${name}-svc-orch`, 1] as const]),
  ]);
  const kept = before?.deploymentStatus ?? {};
  if (course === 'deadline-exceeded' && ageS >= 3) {
    const description = 'Deployment is no longer progressing and not available.';
    return { state: 'Failed', description, deploymentStatus: kept };
  }
  if (ageS < 3 || course === 'never') return { state: 'Creating', deploymentStatus: kept };
  const present = counts.map(([name, count]) => [name, { replicas: count, availableReplicas: count }]);
  return { state: 'Available', deploymentStatus: Object.fromEntries(present) };
}

/** Pod of a graph's router, as restricted namespaces admit it. */
const podSpec = (args: readonly string[]) => ({
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    {
      ...{ name: 'router', image: 'router:1', args },
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    },
  ],
});

const writer = { fieldManager: 'engine' };
const forced = { fieldManager: 'engine', force: true };

export class EngineControllers {
  /** Courses by the name of an object. */
  readonly courses = new Map<string, Course>();
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly generation: number; readonly atMs: number }>();
  readonly #written = new Map<string, Status>();
  #made = 0;

  constructor(api: KubeApi, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  /** Objects of all engines. */
  async objects(): Promise<readonly KubeObject[]> {
    const pages = await Promise.all(engineTypes.map((type) => this.#api.list({ type })));
    return pages.flatMap((page) => (page.kind === 'page' ? page.objects : []));
  }

  /** Sets the statuses that are due. */
  async play(): Promise<void> {
    for (const object of await this.objects()) {
      const type = engineTypes.find(({ kind }) => kind === object.kind);
      if (type === undefined) continue;
      const ageS = this.#ageS(object);
      if (object.kind === 'InferenceGraph') await this.#runGraph(object, ageS);
      const status = statusOf(object, ageS, this.courses.get(object.metadata.name) ?? 'usual');
      const { name, namespace = 'n', uid = '' } = object.metadata;
      if (status === undefined || same(this.#written.get(uid), status)) continue;
      this.#written.set(uid, status);
      const { apiVersion, kind } = object;
      written(
        await this.#api.applyStatus(type, { apiVersion, kind, metadata: { name, namespace }, status } as never, forced),
      );
    }
    await this.#collect();
  }

  #ageS({ kind, metadata: { uid, generation = 0 } }: KubeObject): number {
    const key = `${kind} ${uid}`;
    const known = this.#seen.get(key);
    const seen = known?.generation === generation ? known : { generation, atMs: this.#clock.nowMs() };
    this.#seen.set(key, seen);
    return (this.#clock.nowMs() - seen.atMs) / 1000;
  }

  /** The router pod of a graph: a new one is ready after a second, then the old one goes. */
  async #runGraph(graph: KubeObject, ageS: number): Promise<void> {
    const { name, namespace, labels = {} } = graph.metadata;
    const args = ['--graph-json', JSON.stringify((graph as KubeObject & { readonly spec: unknown }).spec)];
    const own = (await this.#pods()).filter(({ metadata }) => metadata.annotations?.['graph'] === name);
    const isCurrent = (pod: ObservedPod): boolean =>
      same((pod.spec?.containers[0] as { readonly args?: readonly string[] } | undefined)?.args, args);
    const current = own.find(isCurrent);
    if (current === undefined) {
      const metadata = { name: `${name}-${++this.#made}`, namespace, labels, annotations: { graph: name } };
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(args) };
      written(await this.#api.create(pods, pod as never, writer));
      return;
    }
    if (ageS < 1) return;
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    if (!isReady(current))
      await this.#api.applyStatus(
        pods,
        { ...current, metadata: { name: current.metadata.name, namespace }, status } as never,
        forced,
      );
    for (const old of own) if (old !== current) await this.#api.delete(refTo(pods, old));
  }

  async #pods(): Promise<readonly ObservedPod[]> {
    const page = await this.#api.list({ type: pods });
    return page.kind === 'page' ? (page.objects as readonly ObservedPod[]) : [];
  }

  /** Acts as the garbage collector for pods of graphs. */
  async #collect(): Promise<void> {
    const graphs = new Set((await this.objects()).map(({ metadata }) => metadata.name));
    for (const pod of await this.#pods()) {
      const graph = pod.metadata.annotations?.['graph'];
      if (graph !== undefined && !graphs.has(graph)) await this.#api.delete(refTo(pods, pod));
    }
  }
}
