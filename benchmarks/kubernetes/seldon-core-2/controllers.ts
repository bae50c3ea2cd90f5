/**
 * Controllers of Seldon Core 2, as a double that runs real pods. Sources in SeldonIO/seldon-core, branch v2:
 *
 * - Server: `operator/controllers/reconcilers/server/statefulset_reconciler.go` (2f4fadd): a StatefulSet with parallel
 *   pods; ready if all present replicas are ready, so also before its new replicas exist.
 * - Model: `operator/scheduler/model.go` (018ea00) and `docs-gb/models/README.md`: its agent loads it on as many replicas
 *   of its Server as it wants (`POST /v2/repository/models/NAME/load` of MLServer); the state is the reason.
 * - Pipeline: `operator/scheduler/pipeline.go` (034cf13): a new version serves once its Models are ready; until then the
 *   previous version does.
 * - Experiment: `operator/apis/mlops/v1alpha1/experiment_types.go` (049c8df): active once all candidates are ready.
 *
 * A terminating pod is drained first: it gets no new requests, and its `preStop` waits.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeApi } from '../../../packages/adapter-kubernetes/src/api/kube-api.js';
import type { KubeObject, ResourceType } from '../../../packages/adapter-kubernetes/src/api/kube-object.js';
import {
  engineTypes,
  isReady,
  type ObservedPod,
  pods,
} from '../../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import type {
  SeldonExperiment,
  SeldonPipeline,
} from '../../../packages/adapter-kubernetes/src/render/engines/seldon-pipeline.js';
import type { SeldonGateway } from './gateway.js';
import type { PipelineSpec } from './walk.js';

/** Pods of the ServerConfig `mlserver`; the models of the image are in `models`. */
export interface ServerPods {
  readonly image: string;
  readonly models: string;
}

interface Server extends KubeObject {
  readonly spec: {
    readonly replicas: number;
    readonly podSpec: {
      readonly terminationGracePeriodSeconds: number;
      readonly containers: readonly {
        readonly env: readonly { readonly name: string; readonly value: string }[];
        readonly resources?: object;
      }[];
    };
  };
}

interface Model extends KubeObject {
  readonly spec: { readonly storageUri: string; readonly requirements: readonly string[]; readonly replicas: number };
}

interface StatefulSet extends KubeObject {
  readonly spec: unknown;
  readonly status?: { readonly replicas?: number; readonly readyReplicas?: number };
}

const typeOf = <T extends KubeObject>(kind: string): ResourceType<T> =>
  engineTypes.find((type) => type.kind === kind && type.group === 'mlops.seldon.io') as unknown as ResourceType<T>;

const statefulSets: ResourceType<StatefulSet> = {
  ...{ group: 'apps', version: 'v1', kind: 'StatefulSet', plural: 'statefulsets' },
  namespaced: true,
};
const SERVER_NAME = 'seldon-server-name';
const HTTP_PORT = 8080;
const METRICS_PORT = 8082;
const LOOK_MS = 500;
const DRAIN_S = 5;
/** The only folder that containers may write to. */
const SCRATCH = '/tmp';
const LOAD_MS = 30_000;
const writer = { fieldManager: 'seldon', force: true };

export class SeldonControllers {
  /** Failures that were tried again. */
  readonly failures: string[] = [];
  readonly #api: KubeApi;
  readonly #namespace: string;
  readonly #gateway: SeldonGateway;
  readonly #pods: ServerPods;
  /** Names of loaded models by uid of a pod. */
  readonly #loaded = new Map<string, Set<string>>();
  readonly #statuses = new Map<string, string>();

  constructor(
    api: KubeApi,
    { namespace, gateway, pods: own }: { namespace: string; gateway: SeldonGateway; pods: ServerPods },
  ) {
    this.#api = api;
    this.#namespace = namespace;
    this.#gateway = gateway;
    this.#pods = own;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look().catch((error: unknown) => this.failures.push(String(error)));
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #all<T extends KubeObject>(type: ResourceType<T>): Promise<readonly T[]> {
    const page = await this.#api.list({ type, namespace: this.#namespace });
    return page.kind === 'page' ? page.objects : [];
  }

  async #look(): Promise<void> {
    const servers = await this.#all(typeOf<Server>('Server'));
    const running = await this.#all<ObservedPod>(pods);
    const sets = await this.#all(statefulSets);
    for (const server of servers) await this.#runServer(server, sets);
    const replicas = new Map<string, readonly string[]>();
    for (const model of await this.#all(typeOf<Model>('Model')))
      replicas.set(model.metadata.name, await this.#placeModel(model, servers, running));
    const pipelines = await this.#placePipelines(replicas);
    const splits = await this.#placeExperiments(pipelines);
    const targets = running.filter(isServing).map(({ metadata: { name }, status }) => ({
      targets: [`${status?.podIP}:${METRICS_PORT}`],
      labels: { namespace: this.#namespace, pod: name },
    }));
    this.#gateway.routes = { pipelines, splits, replicas, targets };
  }

  async #runServer(server: Server, sets: readonly StatefulSet[]): Promise<void> {
    const { apiVersion, kind, metadata, spec } = server;
    const { name, uid = '' } = metadata;
    const ownerReferences = [{ apiVersion, kind, name, uid, controller: true }];
    const set = {
      ...{ apiVersion: 'apps/v1', kind: 'StatefulSet' },
      metadata: { name, namespace: this.#namespace, ownerReferences },
      spec: {
        ...{ serviceName: name, replicas: spec.replicas, podManagementPolicy: 'Parallel' },
        selector: { matchLabels: { [SERVER_NAME]: name } },
        template: { metadata: { labels: { [SERVER_NAME]: name } }, spec: this.#podSpec(server) },
      },
    };
    const written = await this.#api.apply(statefulSets, set, writer);
    if (written.kind === 'refused') throw new Error(`StatefulSet ${name}: ${written.message}`);
    const { replicas = 0, readyReplicas = 0 } = sets.find((each) => each.metadata.name === name)?.status ?? {};
    const isWhole = readyReplicas >= replicas;
    const reason = `StatefulSet replicas ${isWhole ? 'matches' : 'does not match'} desired replicas`;
    await this.#tell(server, {
      ...{ replicas: spec.replicas, loadedModels: 1, selector: `${SERVER_NAME}=${name}` },
      conditions: both('StatefulSetReady', isWhole, reason),
    });
  }

  #podSpec({ spec: { podSpec } }: Server): object {
    const [own] = podSpec.containers;
    const env = [
      { name: 'MLSERVER_HTTP_PORT', value: String(HTTP_PORT) },
      { name: 'MLSERVER_METRICS_PORT', value: String(METRICS_PORT) },
      { name: 'MLSERVER_METRICS_DIR', value: `${SCRATCH}/metrics` },
      { name: 'MLSERVER_HOST', value: '0.0.0.0' },
      { name: 'MLSERVER_LOAD_MODELS_AT_STARTUP', value: 'false' },
      { name: 'MLSERVER_PARALLEL_WORKERS', value: '0' },
      ...['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'].map((name) => ({ name, value: '1' })),
    ];
    return {
      ...podSpec,
      ...{ automountServiceAccountToken: false, enableServiceLinks: false },
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      volumes: [{ name: 'state', emptyDir: {} }],
      containers: [
        {
          ...own,
          ...{ name: 'mlserver', image: this.#pods.image, args: ['start', this.#pods.models] },
          env: [...env, ...(own?.env ?? [])],
          ports: [
            { name: 'http', containerPort: HTTP_PORT },
            { name: 'metrics', containerPort: METRICS_PORT },
          ],
          readinessProbe: { httpGet: { path: '/v2/health/live', port: 'http' }, periodSeconds: 1, timeoutSeconds: 5 },
          lifecycle: { preStop: { sleep: { seconds: DRAIN_S } } },
          volumeMounts: [{ name: 'state', mountPath: SCRATCH }],
          securityContext: {
            ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    };
  }

  /** Loads a Model on replicas of its Server; returns the addresses of those that serve it. */
  async #placeModel(
    model: Model,
    servers: readonly Server[],
    running: readonly ObservedPod[],
  ): Promise<readonly string[]> {
    const { storageUri, requirements, replicas } = model.spec;
    const name = storageUri.split('/').at(-1) ?? '';
    const server = servers.find(({ metadata }) => requirements.includes(metadata.name));
    const joined = running
      .filter((pod) => pod.metadata.labels?.[SERVER_NAME] === server?.metadata.name && isServing(pod))
      .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name, 'en', { numeric: true }))
      .slice(0, replicas);
    const served = await Promise.all(joined.map(async (pod) => ((await this.#load(pod, name)) ? [pod] : [])));
    const serving = served.flat().map((pod) => `http://${pod.status?.podIP}:${HTTP_PORT}/v2/models/${name}`);
    const isWhole = serving.length >= replicas;
    const isShort = joined.length < replicas && serving.length > 0;
    const reason = isWhole ? 'ModelAvailable' : isShort ? 'ScheduleFailed' : 'ModelProgressing';
    const why = isShort ? 'Failed to schedule model as no matching server had enough suitable replicas' : '';
    const conditions = both('ModelReady', isWhole, reason, why);
    await this.#tell(model, { replicas, availableReplicas: serving.length, conditions });
    return serving;
  }

  /** True once a pod has loaded a model. */
  async #load({ metadata: { uid = '' }, status }: ObservedPod, model: string): Promise<boolean> {
    const loaded = this.#loaded.get(uid) ?? new Set();
    this.#loaded.set(uid, loaded);
    if (loaded.has(model)) return true;
    const url = `http://${status?.podIP}:${HTTP_PORT}/v2/repository/models/${model}/load`;
    const answer = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(LOAD_MS) }).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok === true) loaded.add(model);
    return loaded.has(model);
  }

  async #placePipelines(replicas: ReadonlyMap<string, readonly string[]>): Promise<Map<string, PipelineSpec>> {
    const inForce = new Map<string, PipelineSpec>();
    for (const pipeline of await this.#all(typeOf<SeldonPipeline>('Pipeline'))) {
      const { name } = pipeline.metadata;
      const areReady = pipeline.spec.steps.every((step) => (replicas.get(step.name)?.length ?? 0) > 0);
      const before = this.#gateway.routes.pipelines.get(name);
      const serving = areReady ? pipeline.spec : before;
      if (serving !== undefined) inForce.set(name, serving);
      const ready = (type: string) => ({ type, status: areReady ? 'True' : 'False' });
      const reason = areReady ? 'PipelineReady' : 'PipelineCreating';
      const conditions = [...both('PipelineReady', areReady, reason), ready('ModelsReady'), ready('PipelineGwReady')];
      await this.#tell(pipeline, { conditions });
    }
    return inForce;
  }

  async #placeExperiments(pipelines: ReadonlyMap<string, PipelineSpec>) {
    const splits = new Map<string, SeldonExperiment['spec']['candidates']>();
    for (const experiment of await this.#all(typeOf<SeldonExperiment>('Experiment'))) {
      const { candidates, default: entry } = experiment.spec;
      const areReady = candidates.every(({ name }) => pipelines.has(name));
      if (areReady) splits.set(entry, candidates);
      await this.#tell(experiment, { conditions: both('ExperimentReady', areReady, '') });
    }
    return splits;
  }

  /** Writes a status if it has changed. */
  async #tell({ apiVersion, kind, metadata }: KubeObject, status: object): Promise<void> {
    const { name, uid } = metadata;
    const text = JSON.stringify(status);
    if (this.#statuses.get(`${uid}`) === text) return;
    const object = { apiVersion, kind, metadata: { name, namespace: this.#namespace }, status };
    const written = await this.#api.applyStatus(typeOf(kind), object as KubeObject, writer);
    if (written.kind === 'written') this.#statuses.set(`${uid}`, text);
    else if (written.reason !== 'not-found') throw new Error(`${kind} ${name}: ${written.message}`);
  }
}

const isServing = (pod: ObservedPod): boolean => isReady(pod) && pod.metadata.deletionTimestamp === undefined;

const both = (type: string, isTrue: boolean, reason: string, message = '') =>
  [type, 'Ready'].map((each) => ({ type: each, status: isTrue ? 'True' : 'False', reason, message }));
